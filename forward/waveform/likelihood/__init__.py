"""Likelihoods of seismograms: Gaussian, Student's t, and Gaussian with the moment tensor integrated out."""

from vip.forward.waveform.likelihood.contract import Likelihood, Value
from vip.forward.waveform.likelihood.gaussian import Gaussian
from vip.forward.waveform.likelihood.marginal import Marginal
from vip.forward.waveform.likelihood.student_t import StudentT

__all__ = ["Gaussian", "Likelihood", "Marginal", "StudentT", "Value"]
