// Draggable garment points: after a run, DPIDM Garment Pose shows its picture with the thirteen points on the node.
// Dragging one writes it into the node's `overrides`, which the next run uses. Without this file the node works as before.

const NODE = "DPIDMGarmentPose"
const ABSENT = 0, INFERRED = 1, SEEN = 2
const NAMES = ["absent", "hidden", "seen"]
const HELP = "drag: move · Shift-click: seen, hidden, absent · double-click: as found"

const svgElement = (tag, attributes, text) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", tag)
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value)
  if (text) element.textContent = text
  return element
}

const tidy = (value) => Math.round(value * 10) / 10

class GarmentPoints {
  constructor(node, widget, pictureURL) {
    this.node = node
    this.widget = widget // the text widget `overrides`
    this.pictureURL = pictureURL
    this.svg = svgElement("svg", { class: "dpidm-points", width: "100%", height: "100%" })
    this.svg.style.cssText = "display:block; touch-action:none; user-select:none; background:#222; border-radius:4px"
    this.svg.addEventListener("pointerdown", (event) => this.press(event))
    this.svg.addEventListener("pointermove", (event) => this.move(event))
    this.svg.addEventListener("pointerup", (event) => this.release(event))
    this.svg.addEventListener("pointercancel", () => this.cancel())
    this.svg.addEventListener("dblclick", (event) => this.reset(event))
    const before = widget.callback
    widget.callback = (...given) => {
      const result = before?.apply(widget, given)
      this.draw()
      return result
    }
  }

  // what the node reported: size, points as found (without overrides), limbs, picture
  show(report) {
    this.report = report
    this.moving = null
    const [width, height] = report.size
    this.radius = Math.max(width, height) / 55
    this.tray = 5 * this.radius // below the picture: the points that the garment does not have
    this.svg.setAttribute("viewBox", `0 0 ${width} ${height + this.tray}`)
    this.draw()
  }

  get aspect() {
    return this.report ? (this.report.size[1] + this.tray) / this.report.size[0] : 1
  }

  get linked() {
    return this.node.inputs?.find((input) => input.name === "overrides")?.link != null
  }

  get overrides() {
    try {
      const value = JSON.parse(this.widget.value || "{}")
      return value && typeof value === "object" && !Array.isArray(value) ? value : {}
    } catch {
      return {}
    }
  }

  set overrides(value) {
    const text = Object.keys(value).length ? JSON.stringify(value) : ""
    this.widget.value = text
    this.widget.callback?.(text)
    this.node.graph?.setDirtyCanvas?.(true, true)
  }

  // the points as the next run will have them, by name
  points() {
    const own = this.linked ? {} : this.overrides, points = {}
    this.report.points.forEach((found, index) => {
      const given = this.moving?.name === found.name ? this.moving.at : own[found.name]
      const point = { ...found, own: given !== undefined }
      if (given === null) point.visibility = ABSENT
      else if (Array.isArray(given)) [point.x, point.y, point.visibility = SEEN] = given
      if (point.visibility === ABSENT) {
        point.x = ((index + 0.5) / this.report.points.length) * this.report.size[0]
        point.y = this.report.size[1] + this.tray / 3
      }
      points[found.name] = point
    })
    return points
  }

  draw() {
    if (!this.report) return
    const { size: [width, height], picture, limbs } = this.report, r = this.radius, points = this.points()
    if (this.image?.dataset.file !== picture.filename) {
      this.image = svgElement("image", { width, height, href: this.pictureURL(picture), preserveAspectRatio: "none" })
      this.image.dataset.file = picture.filename
    }
    const there = ([a, b]) => points[a].visibility && points[b].visibility
    const lines = limbs.filter(there).map(([a, b]) =>
      svgElement("line", {
        x1: points[a].x, y1: points[a].y, x2: points[b].x, y2: points[b].y,
        stroke: points[b].colour, "stroke-width": r / 2, "stroke-opacity": 0.6, "pointer-events": "none",
      }),
    )
    const marks = Object.values(points).map((point) => this.mark(point))
    const text = this.linked ? "overrides come from a link" : HELP
    const help = svgElement("text", { x: width / 2, y: height + this.tray - r / 2, fill: "#aaa", "text-anchor": "middle",
      "font-size": Math.min(1.6 * r, width / 34), "font-family": "sans-serif", "pointer-events": "none" }, text) // prettier-ignore
    this.svg.replaceChildren(this.image, ...lines, ...marks, help)
  }

  mark(point) {
    const r = point.visibility === ABSENT ? this.radius * 0.7 : this.radius
    const circle = svgElement("circle", {
      cx: point.x, cy: point.y, r, "data-name": point.name, "data-visibility": point.visibility,
      fill: point.colour, "fill-opacity": [0.25, 0.15, 0.9][point.visibility], "stroke-width": r / 2.5,
      stroke: point.own ? "#fff" : point.visibility === SEEN ? "#000" : point.colour,
    })
    if (point.visibility === INFERRED) circle.setAttribute("stroke-dasharray", `${r / 1.5} ${r / 2}`)
    circle.style.cursor = this.linked ? "default" : "grab"
    const sure = point.own ? "yours" : `confidence ${point.confidence}`
    circle.append(svgElement("title", {}, `${point.name}: ${NAMES[point.visibility]}, ${sure}\n${HELP}`))
    return circle
  }

  // the place of a pointer in the picture's own pixels, kept inside of it
  place(event) {
    const box = this.image.getBoundingClientRect(), [width, height] = this.report.size
    const x = ((event.clientX - box.left) / box.width) * width, y = ((event.clientY - box.top) / box.height) * height
    return [tidy(Math.min(Math.max(x, 0), width - 1)), tidy(Math.min(Math.max(y, 0), height - 1))]
  }

  press(event) {
    const name = event.target.dataset?.name
    if (!name || event.button !== 0 || this.linked) return
    event.preventDefault()
    event.stopPropagation() // the graph must not start to drag the node
    if (event.shiftKey) return this.toggle(name)
    this.last = name
    this.svg.setPointerCapture(event.pointerId)
    this.pressed = { name, x: event.clientX, y: event.clientY }
  }

  move(event) {
    if (!this.pressed) return
    event.stopPropagation()
    const { name, x, y } = this.pressed
    if (!this.moving && Math.hypot(event.clientX - x, event.clientY - y) < 3) return // a click, not a drag
    this.moving = { name, at: this.place(event) }
    this.draw()
  }

  release(event) {
    if (!this.pressed) return
    event.stopPropagation()
    const moved = this.moving
    this.cancel()
    if (moved) this.overrides = { ...this.overrides, [moved.name]: moved.at }
  }

  cancel() {
    this.pressed = this.moving = null
  }

  toggle(name) {
    const point = this.points()[name], found = this.report.points.find((p) => p.name === name)
    const at = point.visibility !== ABSENT ? [point.x, point.y] : found.visibility ? [found.x, found.y] : this.middle()
    const next = { [SEEN]: [...at, INFERRED], [INFERRED]: null, [ABSENT]: at }[point.visibility]
    this.overrides = { ...this.overrides, [name]: next }
  }

  middle() {
    return this.report.size.map((side) => tidy(side / 2))
  }

  reset(event) {
    const name = this.last // the event itself comes to the picture, which had captured the pointer
    if (!name || event.shiftKey || this.linked) return
    event.stopPropagation()
    const { [name]: _, ...others } = this.overrides
    this.overrides = others
  }
}

function attach(node, pictureURL) {
  const executed = node.onExecuted
  node.onExecuted = function (output, ...rest) {
    executed?.call(this, output, ...rest)
    const report = output?.dpidm_points?.[0]
    const widget = this.widgets?.find((w) => w.name === "overrides")
    if (!report || !widget || !this.addDOMWidget) return
    if (!this.dpidmPoints) {
      const points = (this.dpidmPoints = new GarmentPoints(this, widget, pictureURL))
      points.show(report)
      const getMinHeight = () => Math.min(640, Math.max(160, (this.size[0] - 20) * points.aspect))
      const shown = this.addDOMWidget("points", "dpidm_points", points.svg, { serialize: false, hideOnZoom: false, getMinHeight })
      shown.serialize = false // neither sent to the server nor saved with the workflow
      const width = Math.max(this.size[0], 340)
      this.setSize?.([width, this.size[1]])
      this.setSize?.([width, Math.max(this.size[1], this.computeSize()[1])])
    }
    this.dpidmPoints.show(report)
    this.graph?.setDirtyCanvas?.(true, true)
  }
}

async function register() {
  const [{ app }, { api }] = await Promise.all([import("../../../scripts/app.js"), import("../../../scripts/api.js")])
  const pictureURL = (picture) => api.apiURL(`/view?${new URLSearchParams(picture)}`)
  app.registerExtension({
    name: "DPIDM.GarmentPoints",
    nodeCreated(node) {
      if (node.comfyClass === NODE) attach(node, pictureURL)
    },
  })
}

register().catch((error) => console.info(`DPIDM: no draggable garment points in this page (${error}); use the overrides text`))
