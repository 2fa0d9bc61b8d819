// A strict reader of RFC 4180, apart from the product's own.
export function parseCsvText(text) {
  const rows = [];
  let i = 0;
  while (i < text.length) {
    const row = [];
    for (;;) {
      let cell = '';
      if (text[i] === '"') {
        for (i++; ; i++) { if (i >= text.length) throw new Error('open quote'); if (text[i] === '"') { if (text[i + 1] === '"') { cell += '"'; i++; } else { i++; break; } } else cell += text[i]; }
      } else while (i < text.length && text[i] !== ',' && text[i] !== '\r') { if (text[i] === '"' || text[i] === '\n') throw new Error(`bad cell at ${i}`); cell += text[i++]; }
      row.push(cell);
      if (text[i] === ',') { i++; continue; }
      if (text.startsWith('\r\n', i)) { i += 2; break; }
      if (i >= text.length) break;
      throw new Error(`bad line end at ${i}`);
    }
    rows.push(row);
  }
  return rows;
}
