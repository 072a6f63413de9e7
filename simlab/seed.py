"""The seed's laboratory: three simulated instruments and the files that they hold from the start."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SimulatedInstrument:
    """An instrument's control PC: who it is, the name of its share, and its first files.

    `host` is the control PC's name in a network where it has one of its own; `folder` is the shared folder's name
    inside the laboratory's; `files` maps a file name to what writes its content.
    """

    slug: str
    name: str
    description: str
    location: str
    host: str
    share: str
    folder: str
    files: Mapping[str, Callable[[], str]]


def write_seed(instrument: SimulatedInstrument, folder: Path) -> None:
    """Write the instrument's first files into `folder`; a file that exists already stays as it is."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in instrument.files.items():
        path = folder / name
        if not path.exists():
            path.write_text(content(), newline="")


def _microscope_frames(count: int) -> str:
    """Return mean intensities of a time series: 30 bytes of header, 16 bytes for each frame."""
    rows = (f"{frame:03d},25.0,{1280 + 90 * math.sin(frame / 3):.1f}\n" for frame in range(1, count + 1))
    return "frame,exposure_ms,mean_counts\n" + "".join(rows)


def _absorption_spectrum(peaks_nm: tuple[float, ...]) -> str:
    """Return an absorbance spectrum from 200 to 800 nm with Gaussian bands at `peaks_nm`."""
    rows = (
        f"{wavelength},{0.02 + sum(_band(wavelength, peak, 18.0) for peak in peaks_nm):.4f}\n"
        for wavelength in range(200, 801, 5)
    )
    return "wavelength_nm,absorbance\n" + "".join(rows)


def _diffractogram(peaks_deg: tuple[float, ...]) -> str:
    """Return counts over the diffraction angle 2θ from 10 to 80 degrees with reflections at `peaks_deg`."""
    angles = (10 + step / 5 for step in range(351))
    rows = (f"{angle:.1f},{round(40 + 900 * sum(_band(angle, p, 0.3) for p in peaks_deg))}\n" for angle in angles)
    return "two_theta_deg,counts\n" + "".join(rows)


def _band(position: float, centre: float, width: float) -> float:
    return math.exp(-(((position - centre) / width) ** 2) / 2)


SEED = (
    SimulatedInstrument(
        slug="microscope_01",
        name="Microscope 01",
        description="Simulated optical microscope",
        location="Lab A, Room 101",
        host="microscope-01",
        share="microscope",
        folder="microscope",
        files={
            "experiment_001.csv": lambda: _microscope_frames(17),
            "experiment_002.csv": lambda: _microscope_frames(9),
        },
    ),
    SimulatedInstrument(
        slug="spectrometer_01",
        name="Spectrometer 01",
        description="Simulated UV-Vis spectrometer",
        location="Lab B, Room 205",
        host="spectrometer-01",
        share="spectrometer",
        folder="spectrometer",
        files={
            "sample_A_spectrum.csv": lambda: _absorption_spectrum((265.0, 410.0)),
            "sample_B_spectrum.csv": lambda: _absorption_spectrum((310.0, 520.0, 655.0)),
        },
    ),
    SimulatedInstrument(
        slug="x_ray_diffraction_01",
        name="X-Ray Diffraction 01",
        description="Simulated X-ray diffractometer",
        location="Lab C, Room 310",
        host="xray-diffraction-01",
        share="xrd",
        folder="xray-diffraction",
        # the strongest reflections of silicon under copper K-alpha radiation
        files={"crystal_scan_001.csv": lambda: _diffractogram((28.4, 47.3, 56.1, 69.1, 76.4))},
    ),
)
