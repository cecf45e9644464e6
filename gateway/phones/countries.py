"""The table of countries, in the notation of tones.py. Data alone; longer than a file should be for that.

Tones and cadences: ITU-T E.180 Supplement 2 and Operational Bulletin 781 (various tones used in national
networks). Caller ID: ETSI EN 300 659-1, BT SIN 227, GR-30-CORE and the networks' interface papers. Where a
network has several tones for one use, the one of today's exchanges stands here.
"""

from dataclasses import dataclass
from typing import Final, Literal

from gateway.phones.pulse import Dial

Times = Literal["wide", "america", "timed_break", "r_100"]
CallerId = Literal["none", "class", "etsi", "etsi_dtas", "dtmf", "dtmf_d", "dtmf_hash"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """The defaults are ITU-T E.180: 425 Hz, and what most of Europe has. `ring` is the bell's cadence in ms.

    `stutter` empty: ten short bursts of dial tone, then dial tone.
    """

    dial: str = "425"
    stutter: str = ""
    ringback: str = "425 1000,4000"
    busy: str = "425 500,500"
    congestion: str = "425 250,250"
    call_waiting: str = "425 200,200 200,5000"
    ring: tuple[int, ...] = (1000, 4000)
    ring_hz: float = 25.0
    times: Times = "r_100"
    dial_pulses: Dial = "normal"
    caller_id: CallerId = "etsi"


OTHER: Final = Row(times="wide")

_AMERICA: Final = Row(
    dial="350+440",
    ringback="440+480 2000,4000",
    busy="480+620 500,500",
    congestion="480+620 250,250",
    call_waiting="440 300,10000",
    ring=(2000, 4000),
    ring_hz=20.0,
    times="america",
    caller_id="class",
)

TABLE: Final[dict[str, Row]] = {
    # --- Europe -----------------------------------------------------------------------------------
    "AT": Row(
        dial="420",
        stutter="380+420",
        ringback="420 1000,5000",
        busy="420 400,400",
        congestion="420 200,200",
        call_waiting="420 40,1950",
        ring=(1000, 5000),
    ),
    "BE": Row(
        stutter="425 1000,250",
        ringback="425 1000,3000",
        congestion="425 167,167",
        call_waiting="1400 175,175 175,3500",
        ring=(1000, 3000),
        caller_id="etsi_dtas",
    ),
    "BG": Row(stutter="425 1500,100", call_waiting="425 150,150 150,4000"),
    "CH": Row(
        stutter="425+340 1100,1100",
        congestion="425 200,200",
        call_waiting="425 200,200 200,4000",
    ),
    "CZ": Row(
        dial="425 330,330 660,660",
        stutter="425 165,165 165,165 165,165 660,660",
        busy="425 330,330",
        congestion="425 165,165",
        call_waiting="425 330,9000",
    ),
    "DE": Row(
        stutter="425+400",
        busy="425 480,480",
        congestion="425 240,240",
    ),
    "DK": Row(
        congestion="425 200,200",
        call_waiting="425 200,600 200,3000",
        caller_id="dtmf_hash",
    ),
    "EE": Row(
        busy="425 300,300",
        congestion="425 200,200",
        call_waiting="950 650,325; 950 325,30; 1400 1300,2600",
    ),
    "ES": Row(
        stutter="425 1000,100",
        ringback="425 1500,3000",
        busy="425 200,200",
        congestion="425 200,200 200,200 200,600",
        call_waiting="425 175,175 175,3500",
        ring=(1500, 3000),
    ),
    "FI": Row(
        stutter="425 650,25",
        busy="425 300,300",
        congestion="425 200,200",
        call_waiting="425 150,150 150,8000",
        caller_id="dtmf",
    ),
    "FR": Row(
        dial="440",
        stutter="330+440",
        ringback="440 1500,3500",
        busy="440 500,500",
        congestion="440 250,250",
        call_waiting="440 300,10000",
        ring=(1500, 3500),
        times="wide",
    ),
    "GB": Row(
        dial="350+440",
        stutter="350+440 750,0; 440 750,0",
        ringback="400+450 400,200 400,2000",
        busy="400 375,375",
        congestion="400 400,350 225,525",
        call_waiting="400 100,4000",
        ring=(400, 200, 400, 2000),
        times="timed_break",
        caller_id="etsi_dtas",
    ),
    "GR": Row(
        dial="425 200,300 700,800",
        busy="425 300,300",
        congestion="425 200,200",
        call_waiting="425 150,150 150,8000",
    ),
    "HR": Row(dial="425 200,300 700,800", call_waiting="425 300,8000"),
    "HU": Row(
        stutter="350+375+400",
        ringback="425 1250,3750",
        busy="425 300,300",
        congestion="425 300,300",
        call_waiting="425 40,1960",
        ring=(1250, 3750),
    ),
    "IE": Row(
        ringback="400+450 400,200 400,2000",
        call_waiting="425 180,200 200,4500",
        ring=(400, 200, 400, 2000),
        times="timed_break",
        caller_id="etsi_dtas",
    ),
    "IT": Row(
        dial="425 200,200 600,1000",
        stutter="470 400,0; 425 400,0",
        congestion="425 200,200",
        call_waiting="425 400,100 250,100 150,14000",
    ),
    "LT": Row(
        busy="425 350,350",
        congestion="425 200,200",
        call_waiting="425 150,150 150,4000",
    ),
    "NL": Row(stutter="425 500,50", call_waiting="425 500,9500", caller_id="dtmf_d"),
    "NO": Row(
        stutter="470 400,0; 425 400,0",
        congestion="425 200,200",
        call_waiting="425 200,600 200,10000",
    ),
    "PL": Row(congestion="425 500,500", call_waiting="425 150,150 150,4000"),
    "PT": Row(
        stutter="425 1000,200",
        ringback="425 1000,5000",
        congestion="425 200,200",
        ring=(1000, 5000),
    ),
    "RU": Row(
        busy="425 350,350",
        congestion="425 175,175",
        call_waiting="425 200,5000",
    ),
    "SE": Row(
        stutter="425 320,20",
        ringback="425 1000,5000",
        busy="425 250,250",
        congestion="425 250,750",
        call_waiting="425 200,500 200,9100",
        ring=(1000, 5000),
        dial_pulses="sweden",
        caller_id="dtmf",
    ),
    "SI": Row(
        dial="425 200,300 700,800",
        congestion="425 200,200",
        call_waiting="425 300,10000",
    ),
    "SK": Row(
        dial="425 330,330 660,660",
        stutter="425 165,165 165,165 165,165 660,660",
        busy="425 330,330",
        congestion="425 165,165",
        call_waiting="425 330,9000",
    ),
    "TR": Row(
        dial="450",
        ringback="450 2000,4000",
        busy="450 500,500",
        congestion="450 200,200 200,200 200,200 600,200",
        call_waiting="450 200,600 200,8000",
        ring=(2000, 4000),
    ),
    # --- America ----------------------------------------------------------------------------------
    "AR": Row(
        ringback="425 1000,4000",
        busy="425 300,200",
        congestion="425 300,400",
        call_waiting="425 400,200 400,4000",
        times="wide",
    ),
    "BR": Row(
        busy="425 250,250",
        congestion="425 250,250 750,250",
        call_waiting="425 50,1000",
        times="wide",
        caller_id="dtmf",
    ),
    "CA": _AMERICA,
    "CL": Row(
        dial="400",
        ringback="400 1000,3000",
        busy="400 500,500",
        congestion="400 200,200",
        call_waiting="400 250,8750",
        ring=(1000, 3000),
        times="wide",
        caller_id="class",
    ),
    "CR": Row(
        dial="450",
        ringback="450 1200,4900",
        busy="450 330,330",
        congestion="450 330,330",
        call_waiting="450 150,150 150,8000",
        ring=(1200, 4900),
        times="america",
        caller_id="class",
    ),
    "MX": Row(
        busy="425 250,250",
        call_waiting="425 200,600 200,10000",
        times="america",
        caller_id="class",
    ),
    "US": _AMERICA,
    "VE": Row(call_waiting="400+450 300,6000", times="america", caller_id="class"),
    # --- Asia and Africa --------------------------------------------------------------------------
    "CN": Row(
        dial="450",
        stutter="450 400,40",
        ringback="450 1000,4000",
        busy="450 350,350",
        congestion="450 700,700",
        call_waiting="450 400,4000",
        times="wide",
        caller_id="class",
    ),
    "HK": Row(
        dial="350+440",
        ringback="440+480 400,200 400,3000",
        busy="480+620 500,500",
        congestion="480+620 250,250",
        call_waiting="440 500,500 500,8000",
        ring=(400, 200, 400, 3000),
        times="wide",
        caller_id="class",
    ),
    "ID": Row(call_waiting="425 150,150 150,10000", times="wide", caller_id="class"),
    "IL": Row(
        dial="400",
        ringback="400 1000,3000",
        busy="400 500,500",
        congestion="400 250,250",
        call_waiting="400 150,10000",
        ring=(1000, 3000),
        times="wide",
        caller_id="class",
    ),
    "IN": Row(
        dial="400*25",
        ringback="400*25 400,200 400,2000",
        busy="400 750,750",
        congestion="400 250,250",
        call_waiting="400 200,100 200,7500",
        ring=(400, 200, 400, 2000),
        times="wide",
        caller_id="dtmf",
    ),
    # Japan shows callers by a modem that answers the line first: not offered.
    "JP": Row(
        dial="400",
        ringback="400*16 1000,2000",
        busy="400 500,500",
        congestion="400 500,500",
        call_waiting="400*16 500,8000",
        ring=(1000, 2000),
        ring_hz=16.0,
        times="america",
        caller_id="none",
    ),
    "KR": Row(
        dial="350+440",
        ringback="440+480 1000,2000",
        busy="480+620 500,500",
        congestion="480+620 300,200",
        call_waiting="350+440 250,250 250,3250",
        ring=(1000, 2000),
        ring_hz=20.0,
        times="america",
        caller_id="class",
    ),
    "MY": Row(
        ringback="425 400,200 400,2000",
        congestion="425 500,500",
        call_waiting="425 100,4000",
        ring=(400, 200, 400, 2000),
        times="wide",
        caller_id="class",
    ),
    "PH": Row(
        ringback="425+480 1000,4000",
        busy="480+620 500,500",
        congestion="480+620 250,250",
        call_waiting="440 300,10000",
        ring_hz=20.0,
        times="america",
        caller_id="class",
    ),
    "SG": Row(
        ringback="425*24 400,200 400,2000",
        busy="425 750,750",
        call_waiting="425*24 300,200 300,3200",
        ring=(400, 200, 400, 2000),
        times="wide",
        caller_id="class",
    ),
    "TH": Row(
        dial="400*50",
        ringback="400 1000,4000",
        busy="400 500,500",
        congestion="400 300,300",
        call_waiting="1000 400,10000",
        times="wide",
        caller_id="class",
    ),
    "TW": Row(
        dial="350+440",
        ringback="440+480 1000,2000",
        busy="480+620 500,500",
        congestion="480+620 250,250",
        call_waiting="350+440 250,250 250,3250",
        ring=(1000, 2000),
        ring_hz=20.0,
        times="america",
        caller_id="class",
    ),
    "ZA": Row(
        dial="400*33",
        ringback="400*33 400,200 400,2000",
        busy="400 500,500",
        congestion="400 250,250",
        call_waiting="400*33 400,4000",
        ring=(400, 200, 400, 2000),
        times="timed_break",
    ),
    # --- Oceania ----------------------------------------------------------------------------------
    "AU": Row(
        dial="413+438",
        stutter="413+438 100,40",
        ringback="413+438 400,200 400,2000",
        busy="425 375,375",
        congestion="425 375,375; 425@-10 375,375",
        call_waiting="425 200,200 200,4400",
        ring=(400, 200, 400, 2000),
        times="timed_break",
        caller_id="class",
    ),
    "NZ": Row(
        dial="400",
        ringback="400+450 400,200 400,2000",
        busy="400 500,500",
        congestion="400 250,250",
        call_waiting="400 250,250 250,3250",
        ring=(400, 200, 400, 2000),
        ring_hz=20.0,
        times="wide",
        dial_pulses="new_zealand",
        caller_id="class",
    ),
}
