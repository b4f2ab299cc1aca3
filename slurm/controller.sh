#!/bin/bash
# Snakemake as a job that starts itself again, for clusters whose login nodes end long processes:
#
#     sbatch slurm/controller.sh --configfile config/coco.yaml
#
# Give it your account and partition, as in slurm/config.yaml. Before its time limit it stops
# Snakemake, which cancels its jobs after their trainings have saved their state, and is requeued.
# It ends with the study, or with an error that only you can mend.
#SBATCH --job-name=leave-k-out
#SBATCH --time=2-00:00:00
#SBATCH --cpus-per-task=2
#SBATCH --mem=8G
#SBATCH --requeue
#SBATCH --signal=B:USR1@600
#SBATCH --open-mode=append
#SBATCH --output=leave-k-out-%j.log

source .venv/bin/activate # or your environment of conda
snakemake --unlock "$@"
snakemake --profile slurm "$@" &
running=$!

again() {
    kill -INT "$running"
    wait "$running"
    scontrol requeue "$SLURM_JOB_ID"
}
trap again USR1
wait "$running"
