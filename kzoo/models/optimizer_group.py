"""One optimizer for each phase of a model that trains in phases."""

import keras


@keras.saving.register_keras_serializable("kzoo")
class OptimizerGroup(keras.optimizers.Optimizer):
    """One optimizer for each phase, in the one place that Keras has for an optimizer.

    Args:
        optimizers: Phase -> optimizer.

    Raises:
        ValueError: if there is none, or one of them stands for two phases.
    """

    def __init__(self, optimizers: dict, name="optimizer_group"):
        # Keras wants a learning rate of its own; the phases' optimizers have theirs.
        super().__init__(learning_rate=1.0, name=name)
        found = {key: keras.optimizers.get(optimizer) for key, optimizer in sorted(optimizers.items())}
        if not found or len({id(optimizer) for optimizer in found.values()}) < len(found):
            raise ValueError(
                f"optimizers: got {optimizers!r}; expected an optimizer for each phase, each its own object, since "
                "its moments belong to its phase's variables."
            )
        self._phases = list(found)
        # As attributes: Keras would save those of a dictionary under their classes' names, in an order of its own.
        for key, optimizer in found.items():
            setattr(self, f"of_{key}", optimizer)

    def __getitem__(self, phase: str) -> keras.optimizers.Optimizer:
        return getattr(self, f"of_{phase}")

    @property
    def phases(self) -> list[str]:
        """The names of the phases, in alphabetical order."""
        return list(self._phases)

    def build(self, variables):
        """Nothing to build: each phase's optimizer is built with its phase's variables."""
        self.built = True

    @property
    def variables(self):
        """Those of all optimizers: what a step may change."""
        return [*self._variables, *(variable for key in self._phases for variable in self[key].variables)]

    def finalize_variable_values(self, var_list):
        """Called at the end of training; each optimizer writes the averages that it keeps, if it does."""
        for key in self._phases:
            self[key].finalize_variable_values(self[key]._trainable_variables)

    def save_own_variables(self, store):
        """The count of steps; the optimizers are saved as parts."""
        store["0"] = self.iterations.numpy()

    def load_own_variables(self, store):
        """The count of steps."""
        self.iterations.assign(store["0"])

    def get_config(self):
        """The optimizers by phase."""
        made = {key: keras.optimizers.serialize(self[key]) for key in self._phases}
        return {"name": self.name, "optimizers": made}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """The group of `get_config`."""
        made = {key: keras.optimizers.deserialize(one, custom_objects) for key, one in config["optimizers"].items()}
        return cls(made, name=config["name"])
