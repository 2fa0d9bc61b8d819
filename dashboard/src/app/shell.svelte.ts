// What the shell and the open screen tell each other: palette sources, commands, the place for the title.
export interface PaletteEntry { label: string; detail?: string; key?: string; href?: string; run?: () => void }

class ShellState {
  palette = $state(false);
  help = $state(false);
  /** The side list on narrow windows, and whether it is folded on wide ones. */
  side = $state(false);
  place = $state('');
  private readonly handlers = new Set<(id: string) => boolean>();
  readonly sources = new Set<(text: string) => PaletteEntry[]>();

  command(id: string): boolean { return [...this.handlers].reverse().some((h) => h(id)); }
  /** A screen's own keys; returns the undo. */
  onCommand(handler: (id: string) => boolean): () => void {
    this.handlers.add(handler);
    return () => this.handlers.delete(handler);
  }
  addSource(source: (text: string) => PaletteEntry[]): () => void {
    this.sources.add(source);
    return () => this.sources.delete(source);
  }
}
export const shell = new ShellState();
