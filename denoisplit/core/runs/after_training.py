"""The report that ends a training, and that cannot harm it."""

import logging
from typing import TYPE_CHECKING, Final

from denoisplit.core.errors import in_one_line, quoted
from denoisplit.core.training.watchers.log_file import training_log

if TYPE_CHECKING:
    from denoisplit.core.network.vse import VSE
    from denoisplit.core.prediction.progress import Stages
    from denoisplit.core.storage.bundle import Bundle
    from denoisplit.core.storage.run_folder import RunFolder

_logger: Final = logging.getLogger("denoisplit.runs")


def report_after_training(folder: "RunFolder", vse: "VSE", bundle: "Bundle", stages: "Stages") -> None:
    """Write the report of a run that is trained and stored; a failure is told in one line."""
    with training_log() as log:
        try:
            log.go_to(folder.log)
            # Only reports need matplotlib and Jinja2.
            from denoisplit.core.runs.reporting import extent_of, write_report

            with stages("Writing the report") as tell:
                write_report(folder, vse, bundle, folder.report, extent_of(bundle), tell)
        except (Exception, SystemExit) as error:
            _logger.debug("report of %s", folder.path, exc_info=True)
            again = quoted(("denoisplit", "report", folder.path))
            _logger.warning(
                "%s: has no report (%s: %s). The network is stored; try again with '%s'",
                *(folder.path, type(error).__name__, in_one_line(error), again),
            )
