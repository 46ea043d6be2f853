"""The same job as `agent_job.py` for mini-swe-agent, run with an interpreter that has it installed.

It gets what it needs for a fair comparison: its plain model class, its plain local environment, its own record of the
job written every step as its command line does, no waiting and no terminal. Prints the same figures.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.pop(0)  # `queue.py` beside this file is not the standard library's

TURNS_BEYOND = 9


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", required=True)
    parser.add_argument("--turns", type=int, required=True)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        os.environ.update(MSWEA_GLOBAL_CONFIG_DIR=folder, MSWEA_SILENT_STARTUP="1", LITELLM_LOCAL_MODEL_COST_MAP="True")
        print(json.dumps({"cpu": work(Path(folder), options.url, options.turns), "memory": [], "reductions": []}))
    return 0


def work(folder: Path, url: str, turns: int) -> list[float]:
    """Do the job, and return the processor time since the start as of each turn, in seconds."""
    from minisweagent.agents.default import (  # type: ignore[import-not-found]  # noqa: PLC0415  (not ours; reads the environment)
        DefaultAgent,
    )
    from minisweagent.environments.local import LocalEnvironment  # type: ignore[import-not-found]  # noqa: PLC0415  (the peer has it, we do not)
    from minisweagent.models.litellm_model import LitellmModel  # type: ignore[import-not-found]  # noqa: PLC0415  (the peer has it, we do not)

    cpu: list[float] = []

    class TimedEnvironment(LocalEnvironment):  # type: ignore[misc]  # no types here: it is not installed with us
        """Takes the time of each turn where the other job takes it: before the calls of a reply run."""

        def execute(self, *args: object, **more: object) -> object:
            cpu.append(time.process_time())
            return super().execute(*args, **more)

    model = LitellmModel(
        model_name="anthropic/claude-sonnet-5-5",
        model_kwargs={"api_base": url, "api_key": "key", "max_tokens": 32_000},
        cost_tracking="ignore_errors",
    )
    agent = DefaultAgent(
        model,
        TimedEnvironment(cwd=str(folder)),
        system_template="You are an agent that works in a checkout.",
        instance_template="{{ task }}",
        step_limit=turns + TURNS_BEYOND,
        cost_limit=0,
        output_path=folder / "trajectory.json",
    )
    agent.run("Find out why the report of the nightly job is empty, and mend it. " * 40)
    return cpu


if __name__ == "__main__":
    sys.exit(main())
