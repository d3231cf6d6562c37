"""What is computed: the loader of jobs, and the jobs that come along, each to be copied from."""
