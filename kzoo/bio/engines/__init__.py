"""The engines that integrate a neuron or a network, and which of them are here."""
