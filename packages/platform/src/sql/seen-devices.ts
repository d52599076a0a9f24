/** The devices that whoever asks may see, and of what type devices are. */
export class SeenDevices {
  readonly #types = new Map<string, string | null>();
  /** Only those that were added are seen. */
  only = false;

  add(devices: readonly (readonly [id: string, type: string | null])[], only: boolean): void {
    this.only ||= only;
    for (const [id, type] of devices) this.#types.set(id, type);
  }

  sees(device: string): boolean {
    return !this.only || this.#types.has(device);
  }

  typeOf(device: string): string | null {
    return this.#types.get(device) ?? null;
  }

  ids(): Iterable<string> {
    return this.#types.keys();
  }

  get size(): number {
    return this.#types.size;
  }
}
