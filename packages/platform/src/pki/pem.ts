import type { SelsynError } from '../kernel/errors.ts';

/** `-----BEGIN LABEL-----`, lines of 64 characters, a line break at the end (RFC 7468). */
export function pemOf(label: string, der: Uint8Array): string {
  const base64 = Buffer.from(der.buffer, der.byteOffset, der.byteLength).toString('base64');
  let lines = '';
  for (let at = 0; at < base64.length; at += 64) lines += `${base64.slice(at, at + 64)}\n`;
  return `-----BEGIN ${label}-----\n${lines}-----END ${label}-----\n`;
}

/**
 * The DER in the one PEM block of a text, which may have other text around it. The base64 must be whole.
 * @throws what `invalid` makes of the reason
 */
export function derOfPem(
  text: string,
  labels: readonly string[],
  maxBytes: number,
  invalid: (why: string) => SelsynError,
): Buffer {
  // Four characters for three bytes, line breaks, and a page of words around it.
  if (text.length > maxBytes * 1.5 + 4_096) throw invalid(`the text has ${text.length} characters: too many`);
  for (const label of labels) {
    const begin = `-----BEGIN ${label}-----`;
    const from = text.indexOf(begin);
    if (from < 0) continue;
    const to = text.indexOf(`-----END ${label}-----`, from);
    if (to < 0) throw invalid('the PEM block has no end');
    if (text.includes(begin, to)) throw invalid('there is more than one PEM block');
    const base64 = text.slice(from + begin.length, to).replaceAll(/[\r\n\t ]+/g, '');
    const der = Buffer.from(base64, 'base64');
    if (der.length === 0 || der.toString('base64') !== base64) throw invalid('the PEM block is not base64');
    return der;
  }
  throw invalid(`it is not PEM: there is no line -----BEGIN ${labels[0]}-----`);
}

/** The certificates in a text, PEM each, as they stand. */
export function certificateBlocks(text: string): string[] {
  return text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g)?.map((block) => `${block}\n`) ?? [];
}
