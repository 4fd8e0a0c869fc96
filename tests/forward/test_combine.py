"""Forwards made of others: gradients against differences and closed forms, particles against their batch, abilities."""

import pickle

import numpy as np
import pytest

from vip.diagnose.checks import gradient_error
from vip.errors import ConfigError, ForwardError
from vip.forward.combine import EXPONENTIAL, Elementwise, FiniteDifferences, Joint, Map, Reparameterised, interpolation
from vip.protocols import ByDifferences, ModelSpace, Simulates, UsesThreads, Variable


def axis(n, name="x"):
    return (name,), {name: np.arange(float(n))}


class Curve:
    """Data ``sum_j G_ij v_j^2`` of a variable on n nodes; optionally a constant is added, which is a second variable."""

    def __init__(self, n, m, seed, level="", sigma=0.5):
        rng = np.random.default_rng(seed)
        variables = [Variable("v", "km/s", *axis(n)), *([Variable(level, "s")] if level else [])]
        self.space = ModelSpace(tuple(variables))
        self.ndim = self.space.size
        self.kernel = rng.uniform(0, 1, (m, n))
        self.observed, self.sigma = rng.uniform(0, n, m), np.full(m, sigma)
        self.seen = []
        self.n = n

    def simulate(self, models):
        self.seen.append((models.flags.c_contiguous, getattr(self, "threads", None)))
        return (models[:, None, : self.n] ** 2 * self.kernel).sum(axis=2) + models[:, self.n :].sum(axis=1)[:, None]

    def __call__(self, models):
        residual = (self.observed - self.simulate(models)) / self.sigma**2
        by_v = 2 * models[:, : self.n] * (residual[:, :, None] * self.kernel).sum(axis=1)
        level = residual.sum(axis=1)[:, None] * np.ones(self.ndim - self.n)
        return -0.5 * (residual**2 * self.sigma**2).sum(axis=1), np.concatenate([by_v, level], axis=1)


class Threaded(Curve):
    """One that counts the threads that it is given."""

    threads = 1
    data_label = "time (s)"

    def facts(self):
        return [("kind", "threaded")]


class Failing(Curve):
    """One that cannot use a negative v, and has the values of the others."""

    def __call__(self, models):
        value, gradient = super().__call__(models)
        bad = {int(i): "v is negative" for i in np.flatnonzero((models[:, : self.n] < 0).any(axis=1))}
        if bad:
            raise ForwardError(bad, others=(value, gradient))
        return value, gradient


def two_data_sets():
    return Joint([Curve(4, 6, 0, level="statics"), Curve(4, 3, 1), Curve(4, 2, 2, level="drift")])


def logarithms():
    variable = Variable("log_v", "ln(km/s)", *axis(3, "knot"))
    matrix = interpolation(np.array([0.0, 4.0, 7.0]), np.arange(8.0), degree=2)
    return Reparameterised(Curve(8, 5, 3, level="statics"), {"v": Map(variable, matrix, EXPONENTIAL)})


COMBINED = {
    "joint": two_data_sets,
    "differences": lambda: FiniteDifferences(Curve(4, 6, 0), 1e-4),
    "reparameterised": logarithms,
    "nested": lambda: Joint([logarithms(), FiniteDifferences(logarithms(), 1e-5)]),
}


@pytest.fixture(params=COMBINED)
def forward(request):
    return COMBINED[request.param]()


def models_for(forward, n=5):
    return np.random.default_rng(7).uniform(0.2, 1.2, (n, forward.ndim))


def test_the_gradient_agrees_with_differences(forward):
    for model in models_for(forward, 3):
        assert gradient_error(forward, model[None], np.random.default_rng(1)) < 1e-6


def test_a_particle_does_not_depend_on_its_batch(forward):
    models = models_for(forward)
    together, backwards = forward(models), forward(models[::-1])
    alone = [forward(models[i : i + 1]) for i in range(len(models))]
    for i, one in enumerate(together):
        np.testing.assert_array_equal(one, np.concatenate([each[i] for each in alone]))
        np.testing.assert_array_equal(one, backwards[i][::-1])


def test_it_predicts_the_data_that_give_its_likelihood(forward):
    assert isinstance(forward, Simulates)
    models = models_for(forward)
    residual = (forward.simulate(models) - forward.observed) / forward.sigma
    np.testing.assert_allclose(forward(models)[0], -0.5 * (residual**2).sum(axis=1), rtol=1e-12)


def test_it_can_be_pickled(forward):
    models = models_for(forward)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(forward))(models)[1], forward(models)[1])


def test_a_joint_model_has_the_variables_of_all_and_sums_over_data_sets():
    forward = two_data_sets()
    assert [v.name for v in forward.space.variables] == ["v", "statics", "drift"]
    models = models_for(forward)
    first, second, third = forward.parts
    v, statics, drift = models[:, :4], models[:, 4:5], models[:, 5:]
    parts = [first(np.hstack([v, statics])), second(v), third(np.hstack([v, drift]))]
    np.testing.assert_allclose(forward(models)[0], sum(value for value, _ in parts))
    np.testing.assert_allclose(forward(models)[1][:, :4], sum(gradient[:, :4] for _, gradient in parts))
    np.testing.assert_allclose(forward(models)[1][:, 5:], parts[2][1][:, 4:])
    assert len(forward.observed) == 11
    assert all(contiguous for contiguous, _ in third.seen)


def test_differences_of_a_quadratic_are_exact():
    class Quadratic:
        space = ModelSpace((Variable("v", "1", *axis(3)),))

        def log_likelihood(self, models):
            return -(models**2 * [1.0, 10.0, 100.0]).sum(axis=1)

    forward = FiniteDifferences(Quadratic(), np.array([0.1, 0.01, 0.001]))
    models = models_for(forward)
    np.testing.assert_allclose(forward(models)[1], -2 * models * [1.0, 10.0, 100.0], rtol=1e-9)
    assert not isinstance(forward, Simulates)


def test_the_chain_rule_against_a_closed_form():
    """v = 3 m: the value at m is that at v, the gradient three times its."""
    inner, square = Curve(2, 5, 0), Elementwise(np.square, lambda x: 2 * x)
    tripled = Reparameterised(inner, {"v": Map(Variable("m", "1", *axis(2)), 3 * np.eye(2))})
    squared = Reparameterised(inner, {"v": Map(Variable("m", "1", *axis(2)), function=square)})
    models = models_for(tripled)
    np.testing.assert_allclose(tripled(models)[1], 3 * inner(3 * models)[1])
    np.testing.assert_allclose(squared(models)[1], 2 * models * inner(models**2)[1])
    np.testing.assert_allclose(squared.to_forward(models), models**2)


def test_abilities_are_those_of_the_parts():
    plain, threaded = Curve(4, 6, 0), Threaded(4, 6, 0)
    assert not isinstance(Joint([plain]), UsesThreads | ByDifferences)
    joint = Joint([plain, Reparameterised(threaded, {}), FiniteDifferences(threaded, 1e-4)])
    assert isinstance(joint, UsesThreads)
    joint.threads = 3
    joint(models_for(joint))
    assert threaded.seen[-1] == (True, 3)
    assert joint.gradient_runs == 9
    assert joint.data_label == "time (s)"
    assert joint.facts() == [("kind", "threaded")] * 2


def test_a_part_that_fails_does_not_pass_its_own_values_off_as_the_wholes():
    failing = Failing(4, 6, 0)
    for forward in (Joint([failing, Curve(4, 3, 1)]), Reparameterised(failing, {})):
        models = models_for(forward)
        models[2, 0] = -1.0
        with pytest.raises(ForwardError) as caught:
            forward(models)
        assert caught.value.reasons == {2: "v is negative"}
        assert caught.value.others is None


def test_check_prior_reaches_the_part_with_its_own_bounds():
    class Choosy(Curve):
        def check_prior(self, lower, upper):
            if lower.min() < 1:
                raise ConfigError("prior", lower.min(), "must be above 1")

    joint = Joint([Curve(4, 6, 0, level="statics"), Choosy(4, 3, 1)])
    joint.check_prior(np.array([2.0, 2, 2, 2, -9]), np.full(5, 9.0))
    with pytest.raises(ConfigError, match="above 1"):
        joint.check_prior(np.array([2.0, 0, 2, 2, 2]), np.full(5, 9.0))


class WithPrior(Curve):
    includes_prior = True


class Mute:
    space = ModelSpace((Variable("v", "1"),))


@pytest.mark.parametrize(
    ("make", "parts"),
    [
        (lambda: Joint([Curve(4, 6, 0), Curve(5, 6, 0)]), ["v", "{'x': 4}", "{'x': 5}", "agree"]),
        (lambda: Joint([Curve(4, 6, 0), WithPrior(4, 6, 0)]), ["includes_prior", "WithPrior"]),
        (lambda: FiniteDifferences(Curve(4, 6, 0), 0.0), ["step", "positive"]),
        (lambda: FiniteDifferences(Mute(), 1.0), ["code", "Mute", "log_likelihood"]),
        (lambda: Reparameterised(Curve(4, 6, 0), {"u": Map(Variable("m", "1"))}), ["u", "this forward has v"]),
        (lambda: Reparameterised(Curve(4, 6, 0), {"v": Map(Variable("m", "1"))}), ["(1, 1)", "(4, 1)", "m to v"]),
        (lambda: interpolation(np.array([0.0, 1.0]), np.array([1.5])), ["nodes", "1.5", "0 to 1", "extrapolate"]),
        (lambda: interpolation(np.array([0.0, 1.0]), np.array([0.5]), 3), ["knots", "2", "at least 4"]),
    ],
)
def test_faults_are_named(make, parts):
    with pytest.raises(ConfigError) as caught:
        make()
    for part in parts:
        assert part in str(caught.value)


def test_splines_go_through_their_knots_and_bilinear_maps_are_kronecker_products():
    knots, nodes = np.linspace(0, 3, 5), np.linspace(0, 3, 13)
    for degree in (1, 3):
        np.testing.assert_allclose(interpolation(knots, nodes, degree)[::3], np.eye(5), atol=1e-12)
        np.testing.assert_allclose(interpolation(knots, nodes, degree) @ (2 * knots + 1), 2 * nodes + 1)
    plane = np.add.outer(knots, 10 * knots)
    matrix = np.kron(interpolation(knots, nodes), interpolation(knots, nodes))
    np.testing.assert_allclose(matrix @ plane.ravel(), np.add.outer(nodes, 10 * nodes).ravel())
