"""The command line: `python -m nnlm2bert data | reproduce | claims | bench | export-live`.

Heavy modules are imported by the command that needs them; `claims` needs none.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from nnlm2bert import __version__, experiments
from nnlm2bert.corpora.command import add_parser as add_data
from nnlm2bert.errors import UserError
from nnlm2bert.experiments import bench, claims, devices, rendering, runner
from nnlm2bert.experiments.live.export import add_parser as add_export_live
from nnlm2bert.experiments.records import SCALES


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; errors the reader can mend are one message on stderr and exit code 1."""
    arguments = build_parser().parse_args(argv)
    try:
        code = arguments.run(arguments)
        sys.stdout.flush()
        return code
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("Stopped.", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def build_parser() -> argparse.ArgumentParser:
    """The parser of all commands; each sets `run`, which gives the exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m nnlm2bert",
        description="From NNLM to BERT: data, experiments, claims and benches.",
    )
    parser.add_argument("--version", action="version", version=f"nnlm2bert {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_data(commands)
    _add_reproduce(commands)
    _add_claims(commands)
    _add_bench(commands)
    add_export_live(commands)
    return parser


def _add_reproduce(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "reproduce",
        help="run an experiment and record what it measures",
        description="Run an experiment arm by arm and seed by seed. Each is recorded as it ends; "
        "what is recorded is not run again, so an interrupted command is simply repeated.",
    )
    parser.add_argument(
        "experiment", nargs="?", help=f"one of: {', '.join(experiments.EXPERIMENTS)}"
    )
    parser.add_argument("--scale", choices=SCALES, default="smoke", help="default: smoke")
    parser.add_argument("--seeds", nargs="+", type=_natural, default=[0], metavar="N")
    parser.add_argument("--arms", nargs="+", metavar="ARM", help="only these settings")
    parser.add_argument("--list", action="store_true", help="show settings and what is recorded")
    parser.add_argument("--force", action="store_true", help="run again what is recorded")
    parser.add_argument(
        "--results", metavar="DIR", help="folder of the records (smoke runs: by default the cache)"
    )
    parser.add_argument(
        "--device",
        choices=("cpu", "cuda"),
        help="default: cuda at scale gpu; what cannot use a GPU is measured on the CPU",
    )
    parser.add_argument("--threads", type=_positive, metavar="N", help="threads torch may use")
    parser.set_defaults(run=_reproduce)


def _add_claims(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "claims",
        help="print the ledger: every claim with its verdict",
        description="Every claim with the paper's figure, the criterion, what the records show "
        "and the verdict.",
    )
    parser.add_argument("--format", choices=tuple(rendering.FORMATS), default="text")
    parser.add_argument(
        "--json", dest="format", action="store_const", const="json", help="same as --format json"
    )
    parser.add_argument("--chapter", type=_natural, metavar="N", help="only those of chapter N")
    parser.add_argument("--results", metavar="DIR", help="folder of the records")
    parser.set_defaults(run=_claims)


def _add_bench(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "bench",
        help="time our code beside the plain way",
        description="Time our code beside the plain way of doing the same, turn by turn, and "
        "check that both give the same.",
    )
    parser.add_argument("name", nargs="?", help=f"one of: {', '.join(bench.names())}")
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--repeats", type=_positive, default=bench.REPEATS, metavar="N")
    parser.add_argument("--threads", type=_positive, metavar="N", help="threads torch may use")
    parser.set_defaults(run=_bench)


def _reproduce(arguments: argparse.Namespace) -> int:
    if arguments.experiment is None:
        return _list_experiments(arguments.list)
    experiment = experiments.load(arguments.experiment)
    named = arguments.results
    results = Path(named) if named else runner.default_results(arguments.scale)
    if arguments.list:
        return _list_arms(experiment, results, arguments)
    logging.basicConfig(format="%(asctime)s %(message)s", datefmt="%H:%M:%S")
    logging.getLogger("nnlm2bert").setLevel(logging.INFO)
    device = arguments.device or ("cuda" if arguments.scale == "gpu" else "cpu")
    if device != "cpu":
        print(devices.where(experiment, arguments.scale, device, arguments.arms), file=sys.stderr)
    records = runner.run(
        experiment,
        arguments.scale,
        arguments.seeds,
        arguments.arms,
        force=arguments.force,
        results=results,
        device=device,
        threads=arguments.threads,
    )
    for record in records:
        print(results / record.path)
    return 0


def _list_experiments(asked: bool) -> int:
    if not asked:
        known = ", ".join(experiments.EXPERIMENTS)
        raise UserError(f"Which experiment? Name one of: {known}.")
    for name in experiments.EXPERIMENTS:
        print(f"{name}: {experiments.load(name).title}")
    return 0


def _list_arms(experiment: runner.Experiment, results: Path, arguments: argparse.Namespace) -> int:
    for job in runner.plan(experiment, arguments.scale, arguments.seeds, arguments.arms):
        state = "recorded" if runner.is_recorded(job, results) else "not recorded"
        print(f"{job}: {state}")
    return 0


def _claims(arguments: argparse.Namespace) -> int:
    rows = claims.ledger(arguments.results)
    if arguments.chapter is not None:
        rows = [row for row in rows if int(row.chapter[:2]) == arguments.chapter]
        if not rows:
            raise UserError(f"No claim belongs to chapter {arguments.chapter}.")
    print(rendering.FORMATS[arguments.format](rows))
    return 0


def _bench(arguments: argparse.Namespace) -> int:
    if arguments.name is None:
        print("\n".join(bench.names()))
        return 0
    chosen = bench.load(arguments.name)
    runner.settle("cpu", arguments.threads)
    report = chosen.run(arguments.repeats)
    print(report.as_json() if arguments.json else report)
    return 0 if report.equal else 1


def _natural(text: str) -> int:
    value = int(text)
    if value < 0:
        raise argparse.ArgumentTypeError(f"{text} is below 0")
    return value


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is below 1")
    return value


if __name__ == "__main__":
    sys.exit(main())
