"""The command line: one verb, one function. Heavy imports happen inside the verbs, so that help comes at once."""

from __future__ import annotations

import atexit
import os
import signal
import sys
import traceback
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NoReturn, TextIO, cast

import click

from harness import __version__
from harness.cli_check import check, demo, doctor, plan
from harness.cli_gate import baseline, gate
from harness.cli_init import init
from harness.cli_monitor import monitor
from harness.cli_report import compare, report
from harness.cli_run import import_, run, score
from harness.cli_train import export, train
from harness.errors import EXIT_INTERRUPTED, EXIT_MACHINE, EXIT_OK, EXIT_USER, HarnessError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 110}


@click.group(context_settings=_CONTEXT, invoke_without_command=True)
@click.version_option(__version__, prog_name="harness")
@click.pass_context
def cli(context: click.Context) -> None:
    """Prompt it, retrieve, fine-tune, or use a bigger model? And did the new candidate make anything worse?

    \b
    harness demo                          the whole story on the model that ships with the package
    harness init mytask --from pairs.jsonl    your own task
    harness train NAME && harness run -s mytask && harness report runs/mytask

    \b
    Exit codes: 0 holds or done, 1 regression, 2 your mistake, 3 inconclusive, 4 not comparable,
    5 the machine failed, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        click.echo(context.get_help())


for _verb in (
    demo, check, doctor, plan, init, train, run, import_, score, compare, report, gate, baseline, export, monitor,
):  # fmt: skip
    cli.add_command(_verb)


class _Unbroken:
    """A stream that goes on into nothing once its reader is gone, as in `harness compare RUN | head -1`.

    Without it click ends the verb with 1, "a regression", wherever it is.
    """

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        with self._into_nothing():
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with self._into_nothing():
            self._stream.flush()

    @contextmanager
    def _into_nothing(self) -> Iterator[None]:
        try:
            yield
        except BrokenPipeError:
            nothing = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nothing, self._stream.fileno())
            os.close(nothing)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs a command and returns its exit code; the user's mistakes are one line on stderr."""
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", _Unbroken(stream)) if stream else stream for stream in streams)
    try:
        code = _main(arguments)
        if sys.stdout:  # None where there is none at all, as in `harness compare RUN >&-`
            sys.stdout.flush()
        return code
    finally:
        sys.stdout, sys.stderr = streams


def _main(arguments: Sequence[str] | None) -> int:
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    try:
        cli.main(args=arguments, prog_name="harness", standalone_mode=False)
    except HarnessError as error:
        return _fail(str(error), error.exit_code)
    except click.ClickException as error:
        return _fail(error.format_message() + " See harness --help.", EXIT_USER)
    except (KeyboardInterrupt, click.Abort):
        return _fail("interrupted. What was finished is kept; the same command takes it up again.", EXIT_INTERRUPTED)
    except MemoryError:
        return _fail("out of memory. Use a smaller model, batch or context.", EXIT_MACHINE)
    except OSError as error:
        return _fail(f"{error.filename or 'file system'}: {error.strerror or error}.", EXIT_MACHINE)
    except SystemExit as exit_:
        return exit_.code if isinstance(exit_.code, int) else EXIT_OK
    except Exception:
        traceback.print_exc()
        return _fail(
            "this is a defect of the harness, not of your input; please report it with the lines above.", EXIT_MACHINE
        )
    return EXIT_OK


def _fail(message: str, code: int) -> int:
    from harness.plain import plain

    print(f"harness: {plain(message)}", file=sys.stderr, flush=True)
    return code


def entry() -> None:
    """The console script. SIGTERM ends it as Ctrl-C does: what was finished is kept, no engine is left behind."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    _leave(main())


def _leave(code: int) -> NoReturn:
    """Ends the process without tearing down what it holds: 3 s where vLLM was imported, 4 s for a large run."""
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError, AttributeError):
            stream.flush()
    os._exit(code)


if __name__ == "__main__":
    entry()
