/** The key in `#key=…` of an address, if there is one. */
export function keyFromHash(hash: string): string | undefined {
  const key = new URLSearchParams(hash.replace(/^#/, '')).get('key')?.trim();
  return key === undefined || key === '' ? undefined : key;
}

/** Takes the key out of the address bar and of the history entry. */
export function takeKeyFromAddress(): string | undefined {
  const key = keyFromHash(location.hash);
  if (key !== undefined) history.replaceState(history.state, '', location.pathname + location.search);
  return key;
}
