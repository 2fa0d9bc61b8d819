// What the reference's engine does otherwise (spec extending §1.14). Called with the host's functions.
(parse, compare) => {
  const Native = Date;
  const clock = (ms) => {
    const d = new Native(ms);
    const local = new Native(2000, d.getUTCMonth(), d.getUTCDate(), d.getUTCHours(), d.getUTCMinutes(), d.getUTCSeconds(), d.getUTCMilliseconds());
    local.setFullYear(d.getUTCFullYear(), d.getUTCMonth(), d.getUTCDate());
    return local.getTime();
  };
  const read = (text) => {
    const found = parse(String(text).toWellFormed());
    return !found ? NaN : found.length === 2 ? found[0] : clock(found[0]);
  };
  function Date_(...args) {
    if (!new.target) return new Native().toString();
    if (args.length === 1) {
      const given = args[0];
      const plain = given instanceof Native ? given.getTime() : given !== null && typeof given === "object" ? given[Symbol.toPrimitive] ? given[Symbol.toPrimitive]("default") : plainOf(given) : given;
      args = [typeof plain === "string" ? read(plain) : plain];
    }
    return Reflect.construct(Native, args, new.target);
  }
  const plainOf = (object) => {
    const value = object.valueOf();
    return value !== null && typeof value === "object" ? String(object) : value;
  };
  Object.defineProperties(Date_, {
    name: { value: "Date", configurable: true },
    length: { value: 7, configurable: true },
    prototype: { value: Native.prototype, writable: false },
  });
  const hide = (on, name, value) => Object.defineProperty(on, name, { value, writable: true, configurable: true });
  hide(Date_, "now", Native.now);
  hide(Date_, "UTC", Native.UTC);
  hide(Date_, "parse", { parse: (text) => read(text) }.parse);
  hide(Native.prototype, "constructor", Date_);
  hide(globalThis, "Date", Date_);
  const two = (n) => String(n).padStart(2, "0");
  const day = (d) => `${two(d.getMonth() + 1)}/${two(d.getDate())}/${d.getFullYear() < 0 ? "-" + String(-d.getFullYear()).padStart(4, "0") : String(d.getFullYear()).padStart(4, "0")}`;
  const time = (d) => `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  const shown = (name, print) => hide(Native.prototype, name, { [name]() { return isNaN(this.getTime()) ? "Invalid Date" : print(this); } }[name]);
  shown("toLocaleDateString", day);
  shown("toLocaleTimeString", time);
  shown("toLocaleString", (d) => `${day(d)}, ${time(d)}`);
  for (const name of ["toString", "toTimeString"]) {
    const native = Native.prototype[name];
    const zone = / \((.*)\)$/;
    hide(Native.prototype, name, { [name]() {
      const text = native.call(this);
      if (isNaN(this.getTime()) || zone.test(text)) return text;
      return text.endsWith("GMT+0000") ? text + " (UTC)" : text;
    } }[name]);
  }
  hide(Number.prototype, "toLocaleString", { toLocaleString() { return this.toString(); } }.toLocaleString);
  if (compare) {
    hide(String.prototype, "localeCompare", { localeCompare(that) {
      if (this === undefined || this === null) throw new TypeError("String.prototype.localeCompare called on null or undefined");
      return compare(String(this).toWellFormed(), String(that).toWellFormed());
    } }.localeCompare);
  }
  const nativeParse = JSON.parse;
  const lone = /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/;
  const well = (value) => {
    if (typeof value === "string") return lone.test(value) ? value.toWellFormed() : value;
    if (value !== null && typeof value === "object") for (const key of Object.keys(value)) value[key] = well(value[key]);
    return value;
  };
  const escaped = /\\u[dD][89a-fA-F]/;
  hide(JSON, "parse", { parse(text, reviver) {
    const source = String(text);
    if (!escaped.test(source) && !lone.test(source)) return nativeParse(source, reviver);
    const value = well(nativeParse(source));
    return typeof reviver === "function" ? nativeParse(JSON.stringify(value), reviver) : value;
  } }.parse);
}
