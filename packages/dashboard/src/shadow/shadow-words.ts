/** What a shadow is called. */
export function shadowTitle(name: string): string {
  return name === '' ? 'Classic shadow' : name;
}

/** A value as the page shows it: JSON, so that the text "21" is not the number 21. */
export function valueText(value: unknown): string {
  return JSON.stringify(value) ?? '–';
}
