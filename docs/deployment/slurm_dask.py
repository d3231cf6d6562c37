"""A fleet on Slurm by way of Dask: python slurm_dask.py JOBS [options of 'serve'].

Dask asks Slurm for so many jobs, each with one worker, and the fleet has a process on each worker.
Needs `pip install 'million-nodes[dask]' dask-jobqueue`, on the machines that compute, too.
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster

jobs, *options = sys.argv[1:]
with SLURMCluster(cores=4, processes=1, memory="8GB", walltime="01:00:00") as cluster:
    cluster.scale(jobs=int(jobs))
    cluster.wait_for_workers(int(jobs))
    bots = f"plugins.bots_dask:{cluster.scheduler_address}"
    command = [sys.executable, "-m", "transports.tcp", "serve", "--bots", bots, *options]
    sys.exit(subprocess.run(command, check=False).returncode)
