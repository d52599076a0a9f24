/** Names, each once, and told by their places. */
export class NameList {
  readonly names: string[] = [];
  readonly #places = new Map<string, number>();

  /** Where a name is; one that is not there yet comes last. */
  placeOf(name: string): number {
    let place = this.#places.get(name);
    if (place === undefined) {
      place = this.names.push(name) - 1;
      this.#places.set(name, place);
    }
    return place;
  }
}
