"""The contact sheet: a whole run in one picture."""

from .host import io


class DPIDMContactSheet(io.ComfyNode):
    """Garment | source | poses | mask | result, for a few frames."""

    @classmethod
    def define_schema(cls):
        clip = dict(optional=True)
        return io.Schema(
            node_id="DPIDMContactSheet",
            display_name="DPIDM Contact Sheet",
            category="DPIDM/output",
            description="Shows a run in one picture: garment, source, poses, mask, preview and result.",
            inputs=[
                io.Image.Input("garment", tooltip="The garment photo."),
                io.Image.Input("source", tooltip="The person's video."),
                io.Image.Input("result", tooltip="The dressed video."),
                io.Image.Input("poses", tooltip="The drawn poses, one picture a frame.", **clip),
                io.Mask.Input("mask", tooltip="The area that was painted.", **clip),
                io.Image.Input("warp_preview", tooltip="The instant preview, if you made one.", **clip),
                io.Int.Input(
                    "columns", default=6, min=1, max=24, tooltip="How many frames to show, evenly over the clip."
                ),
                io.String.Input(
                    "title", default="", tooltip="A line above; connect Load Model's label.", optional=True
                ),
            ],
            outputs=[io.Image.Output("sheet", display_name="sheet")],
        )

    @classmethod
    def execute(
        cls, garment, source, result, columns, poses=None, mask=None, warp_preview=None, title=""
    ) -> io.NodeOutput:
        import torch

        from ..dpidm_model.frames.contact_sheet import contact_sheet

        rows = {"source": source, "poses": poses, "mask": mask, "preview": warp_preview, "result": result}
        rows = {name: clip for name, clip in rows.items() if clip is not None}
        sheet = contact_sheet(garment[0, ..., :3].numpy(), rows, columns=columns, title=title)
        return io.NodeOutput(torch.from_numpy(sheet)[None].float() / 255)


NODES = [DPIDMContactSheet]
