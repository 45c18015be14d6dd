"""ZAP: what a crawl of the running application shows, and, on request, what attacks on it do.

https://www.zaproxy.org. Reading order: `command`, `options`, `launch`, `baseline`; `plans`, `full`,
`api_scan`, `own_plan`; `report`, `alerts`, `findings`, `convert`; `progress`, `proof`, `failures`.
"""

from scanrun.api import Scanner, hookimpl
from scanrun_plugins.scanners.zap.api_scan import ZapApi
from scanrun_plugins.scanners.zap.baseline import Zap
from scanrun_plugins.scanners.zap.full import ZapFull
from scanrun_plugins.scanners.zap.own_plan import ZapPlan


@hookimpl
def scanrun_register_scanners() -> list[Scanner]:
    """Add the baseline, and those on request."""
    return [Zap(), ZapFull(), ZapApi(), ZapPlan()]
