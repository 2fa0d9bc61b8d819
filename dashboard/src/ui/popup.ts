// Puts a popover beside its anchor and keeps it inside the window. For menus, comboboxes and completion.
export function place(node: HTMLElement, anchor: HTMLElement, o: { end?: boolean; width?: boolean } = {}): void {
  const a = anchor.getBoundingClientRect();
  node.style.position = 'fixed';
  node.style.margin = '0';
  if (o.width) node.style.minWidth = `${a.width}px`;
  const w = node.offsetWidth, h = node.offsetHeight;
  const left = o.end ? a.right - w : a.left;
  const below = innerHeight - a.bottom;
  const top = below >= h + 8 || below >= a.top ? a.bottom + 4 : a.top - h - 4;
  node.style.left = `${Math.max(8, Math.min(left, innerWidth - w - 8))}px`;
  node.style.top = `${Math.max(8, Math.min(top, Math.max(8, innerHeight - h - 8)))}px`;
}
