"""How much of each pose module is used."""

from dataclasses import replace

from .host import io
from .types import DPIDMModel


def _strength(name: str, tooltip: str):
    return io.Float.Input(name, default=1.0, min=0.0, max=2.0, step=0.05, tooltip=tooltip)


class DPIDMModelStrength(io.ComfyNode):
    """Turns the pose modules of a model up, down or exactly off, at inference."""

    @classmethod
    def define_schema(cls):
        return io.Schema(
            node_id="DPIDMModelStrength",
            display_name="DPIDM Model Strength",
            category="DPIDM/loaders",
            description="Turns PASA's pose adapter, TSA and PATA up or down; 0 switches one off exactly.",
            inputs=[
                DPIDMModel.Input("model", tooltip="From DPIDM Load Model."),
                _strength(
                    "pasa", "Poses in the attention between person and garment; 0: garment found by looks alone."
                ),
                _strength("tsa", "Temporal-shift attention to the frames just before; 0: off."),
                _strength("pata", "Temporal attention over the whole window; 0: frames are on their own."),
                _strength("compat", "What only SwiftTry and ViViD imports have (their pose guider); 0: off."),
            ],
            outputs=[DPIDMModel.Output("adjusted", display_name="model")],
        )

    @classmethod
    def execute(cls, model, pasa, tsa, pata, compat) -> io.NodeOutput:
        from ..dpidm_model.network.call import Strengths

        return io.NodeOutput(replace(model, strengths=Strengths(pasa=pasa, tsa=tsa, pata=pata, compat=compat)))


NODES = [DPIDMModelStrength]
