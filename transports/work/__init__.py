"""The functions of a job, run in processes of their own."""
