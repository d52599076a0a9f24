/** The metrics of a sample, in order. While it is in the decoder's cache, the same names are the same object. */
export class Shape {
  readonly names: readonly string[];

  constructor(names: readonly string[]) {
    this.names = names;
  }
}

const MAX_SHAPES = 4096;
/** Names of all cached shapes together, in UTF-16 units. */
const MAX_NAME_UNITS = 4 * 1024 * 1024;

/** Shapes by their names. When full it starts over: equal shapes may then be two objects, which costs, but never harms. */
export class ShapeCache {
  readonly #shapes = new Map<string, Shape>();
  #nameUnits = 0;

  intern(names: readonly string[]): Shape {
    // No name has a control character, so that the joined text tells them apart.
    const key = names.join('\n');
    const known = this.#shapes.get(key);
    if (known !== undefined) return known;
    if (this.#shapes.size >= MAX_SHAPES || this.#nameUnits + key.length > MAX_NAME_UNITS) {
      this.#shapes.clear();
      this.#nameUnits = 0;
    }
    const shape = new Shape([...names]);
    this.#shapes.set(key, shape);
    this.#nameUnits += key.length;
    return shape;
  }
}
