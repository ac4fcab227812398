"""What the function of a `compiled` may touch of Keras's variables, the same on each backend."""

import keras


class ReadOnly(keras.StatelessScope):
    """A scope in which some Keras variables are read, and none is assigned.

    Args:
        variables: those that may be read.
        values: a tensor for each of them, or None for their own.
    """

    def __init__(self, variables, values=None):
        super().__init__(
            None if values is None else list(zip(variables, values, strict=True)), initialize_variables=False
        )
        self.allowed = {id(variable) for variable in variables}

    def get_current_value(self, variable):
        if id(variable) not in self.allowed:
            raise ValueError(
                f"The compiled function reads the variable {variable.path}, which is none of `variables`: its value "
                "would be frozen into the code. Pass it along, as model.variables does."
            )
        return super().get_current_value(variable)

    def add_update(self, update):
        raise ValueError(
            f"The compiled function assigned the variable {update[0].path}, and what is compiled keeps no side effect. "
            "Return what changes, and hand it in at the next call."
        )
