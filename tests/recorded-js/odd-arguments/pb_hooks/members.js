// a member of a host object, called with odd arguments
const ARGS = [[], [null], [undefined], [""], ["title"], ["x y"], [0], [1], [-1], [1.5], [true], [{}], [[]], [["title"]], [{ a: 1 }], ["title", "b"], ["title", 1], ["title", null], ["n", 2.5], ["n+", 2], [1, 2], ["a", "b", "c"], [() => 1], [new Date(0)], [[1, 2, 3]], [NaN], ["title", ["a", "b"]], ["posts", "post00000000001"], [{}, {}], [Infinity], ["2024-01-02 03:04:05.678Z"]];
function show(v, d) {
  d = d || 0;
  try {
    if (v === null) return "null";
    if (v === undefined) return "undefined";
    const t = typeof v;
    if (t === "function") return "function";
    if (t !== "object") return t + ":" + String(v);
    let j; try { j = JSON.stringify(v); } catch (x) { j = "!json " + x; }
    let s; try { s = String(v); } catch (x) { s = "!str " + x; }
    if (j && j.length > 300) j = j.slice(0, 300) + "…" + j.length;
    if (s && s.length > 160) s = s.slice(0, 160) + "…";
    let ks = ""; try { const k = Object.keys(v); ks = k.length + (Array.isArray(v) ? "A" : ":" + k.slice(0, 8).join(",")); } catch (x) { ks = "!keys " + x; }
    return "object " + j + " | " + s + " | " + ks + (v instanceof Error ? " | E" : "");
  } catch (x) { return "!show " + x; }
}
function fault(x) {
  try { return "throws " + (x instanceof Error ? "E " : "") + (x && x.name) + ": " + (x && x.message) + " | " + String(x) + (x && x.value ? " | v" : ""); } catch (y) { return "throws? " + y; }
}
module.exports = {
  show, fault,
  one: (label, make, k, i) => {
    const out = {};
    let t; try { t = typeof make()[k]; } catch (x) { return { [label + "." + k]: "get " + fault(x) }; }
    if (t !== "function") return { [label + "." + k]: show(make()[k]) };
    for (let n = i < 0 ? 0 : i; n < (i < 0 ? ARGS.length : i + 1); n++) {
      let r; try { const fresh = make(); r = show(fresh[k].apply(fresh, ARGS[n])); } catch (x) { r = fault(x); }
      out[label + "." + k + "(" + n + ")"] = r;
    }
    return out;
  },
  n: ARGS.length,
};
