/** A text among the parameters of an address; the router reads what looks like a number as one. */
export function searchText(search: Record<string, unknown>, name: string): string | undefined {
  const value = search[name];
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** Those of the named texts that are among the parameters of an address. */
export function searchTexts<N extends string>(search: Record<string, unknown>, names: readonly N[]): Partial<Record<N, string>> {
  const found: Partial<Record<N, string>> = {};
  for (const name of names) {
    const value = searchText(search, name);
    if (value !== undefined) found[name] = value;
  }
  return found;
}

/** One of the named, when the parameter is one of them. */
export function searchChoice<C extends string>(
  search: Record<string, unknown>,
  name: string,
  choices: readonly C[],
): C | undefined {
  return choices.find((choice) => choice === search[name]);
}
