"""Extraction on SLURM: jobs of one GPU, each a worker. Run it in the project's folder.

    pip install dask-jobqueue
    python configs/slurm.py                            prints the job script, to adapt what is below
    python configs/slurm.py 8 --teacher clip ulip      8 jobs, and the extraction on them

What follows the number goes to `python -m stage1_extract`. Jobs that end early take nothing with
them: their tars go to the others, and running the command again resumes.
"""

import subprocess
import sys
import time

from distributed import Status

try:
    from dask_jobqueue import SLURMCluster
except ImportError:
    sys.exit("error: no dask_jobqueue here; run: pip install dask-jobqueue")


def main() -> None:
    """Command line."""
    jobs = sys.argv[1] if len(sys.argv) > 1 else "0"
    if not jobs.isdecimal():
        sys.exit(f"error: expected a number of jobs first, found {jobs}")
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
        if jobs == "0":
            print(cluster.job_script())
            return
        submit(cluster, int(jobs))
        flags = ["--scheduler", cluster.scheduler_address, *sys.argv[2:]]
        sys.exit(subprocess.call([sys.executable, "-m", "stage1_extract", *flags]))


def submit(cluster: SLURMCluster, jobs: int) -> None:
    """Hand jobs to SLURM; the extraction would wait for ever for those that it refuses."""
    cluster.scale(jobs=jobs)
    while len(cluster.workers) < jobs:
        time.sleep(0.1)
    made = list(cluster.workers.values())
    if refused := sum(job.job_id is None for job in made):
        for job in made:
            job.status = Status.failed  # or dask's end, which cancels the others, is a traceback
        sys.exit(f"error: sbatch refused {refused} of {jobs} jobs, see above; adapt {__file__}")


if __name__ == "__main__":
    main()
