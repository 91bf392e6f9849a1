"""Training of DPIDM: phases, losses, data, state and the loop. Import the submodule you need."""
