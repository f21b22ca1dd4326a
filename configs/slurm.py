"""Extraction on SLURM: jobs of one GPU, each a worker. Run it in the project's folder.

    pip install dask-jobqueue
    python configs/slurm.py                            prints the job script, to adapt what is below
    python configs/slurm.py 8 --teacher clip ulip      8 jobs, and the extraction on them

What follows the number goes to `python -m stage1_extract`. Jobs that end early take nothing with
them: their tars go to the others, and running the command again resumes.
"""

import subprocess
import sys

from dask_jobqueue import SLURMCluster


def main() -> None:
    """Command line."""
    with SLURMCluster(
        queue="gpu",
        walltime="12:00:00",
        cores=1,  # threads of a worker: one tar at a time
        job_cpu=8,
        memory="64 GB",
        job_extra_directives=["--gres=gpu:1"],
        job_script_prologue=[
            "export OMP_NUM_THREADS=8 MKL_NUM_THREADS=8",
            "export DASK_DISTRIBUTED__WORKER__DAEMON=False",  # it may start processes that decode
        ],
        worker_extra_args=["--resources", "GPU=1", "--memory-limit", "0"],
        scheduler_options={"dashboard_address": ":0"},
    ) as cluster:
        if len(sys.argv) == 1:
            print(cluster.job_script())
            return
        cluster.scale(jobs=int(sys.argv[1]))
        flags = ["--scheduler", cluster.scheduler_address, *sys.argv[2:]]
        sys.exit(subprocess.call([sys.executable, "-m", "stage1_extract", *flags]))


if __name__ == "__main__":
    main()
