"""`coordinator plan`: what would be done with an issue, by which agent, and why."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from coordinator.commands.building import load_settings, open_claims
from coordinator.commands.results import print_json
from coordinator.commands.targets import find_target
from coordinator.flows.estimates import ask_estimates
from coordinator.flows.plan_issue import plan_issue
from coordinator.flows.run_money import run_budget
from coordinator.planning.profiles import configured_profiles
from coordinator.planning.show import plan_json, plan_text
from coordinator.report.redaction import Redactor
from coordinator.settings import read_environment

if TYPE_CHECKING:
    import argparse

    from coordinator.commands.targets import Target
    from coordinator.environment import Environment
    from coordinator.planning.models import Plan


def execute(arguments: argparse.Namespace) -> int:
    """Plan the issue, print the plan, write nothing; return 0."""
    environment = read_environment(os.environ)
    with find_target(arguments, environment, keep=False) as target:
        plan = _plan(target, environment, arguments)
        with open_claims(environment, target.forge, environ=os.environ) as claims:
            accuracy = ask_estimates(claims, _warn)
    if arguments.format == "json":
        print_json(plan_json(plan, accuracy))
    else:
        sys.stdout.write(Redactor(environment.all_secrets())(plan_text(plan, accuracy)) + "\n")
    return 0


def _warn(text: str) -> None:
    sys.stderr.write(f"coordinator: warning: {text}\n")


def _plan(target: Target, environment: Environment, arguments: argparse.Namespace) -> Plan:
    settings = load_settings(environment, target.forge)
    branch = settings.base_branch or target.forge.repository().default_branch
    return plan_issue(
        target.issue,
        settings=settings,
        forge=target.forge,
        profiles=configured_profiles(settings.configuration.agents),
        repository=target.repository,
        commit=target.repository.resolve(branch if arguments.forge == "local" else "HEAD"),
        requested_agent=arguments.agent or settings.agent,
        budget=run_budget(settings.configuration.budget.run),
    ).plan
