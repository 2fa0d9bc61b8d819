// RFC 4180 both ways, also TSV. Pure: a worker or the page may call it.
export function csvCell(text: string, sep = ',', guard = false): string {
  const safe = guard && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return safe.includes(sep) || /["\r\n]/.test(safe) ? `"${safe.replace(/"/g, '""')}"` : safe;
}
export const csvLine = (cells: string[], sep = ',', guard = false): string => `${cells.map((c) => csvCell(c, sep, guard)).join(sep)}\r\n`;

export function parseCsv(text: string, sep = ','): string[][] {
  const rows: string[][] = [];
  let row: string[] = [], cell = '', quoted = false, any = false;
  const body = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
  for (let i = 0; i < body.length; i++) {
    const c = body[i]!;
    if (quoted) {
      if (c !== '"') cell += c;
      else if (body[i + 1] === '"') { cell += '"'; i++; }
      else quoted = false;
    } else if (c === '"' && cell === '') { quoted = true; any = true; }
    else if (c === sep) { row.push(cell); cell = ''; any = true; }
    else if (c === '\n' || c === '\r') {
      if (c === '\r' && body[i + 1] === '\n') i++;
      if (any || cell) { row.push(cell); rows.push(row); }
      row = []; cell = ''; any = false;
    } else cell += c;
  }
  if (any || cell) { row.push(cell); rows.push(row); }
  return rows;
}
/** Comma, semicolon or tab: the one that the first line has most of. */
export function guessSeparator(text: string): string {
  const line = text.slice(0, text.search(/[\r\n]|$/));
  return [',', ';', '\t'].map((s) => [line.split(s).length, s] as const).sort((a, b) => b[0] - a[0])[0]![1];
}
