/** Saves a text as a file of the browser's downloads. */
export function saveText(name: string, text: string, type: string): void {
  const url = URL.createObjectURL(new Blob([text], { type }));
  const link = document.createElement('a');
  link.href = url;
  link.download = name.replaceAll(':', '_');
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
