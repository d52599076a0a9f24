import { SelsynError } from '../../kernel/errors.ts';

/** AWS: a job document has at most 32 KB. */
export const MAX_DOCUMENT_BYTES: number = 32 * 1024;
const PARAMETER = /\$\{parameters\.([A-Za-z0-9_-]{1,64})\}/g;

/**
 * The text of a document with its parameters put in: `${parameters.NAME}` anywhere in a text of it.
 *
 * @throws SelsynError `request.invalid` where a parameter is not given or not used, `request.too-large`
 */
export function documentText(
  document: Readonly<Record<string, unknown>>,
  parameters: Readonly<Record<string, string>> = {},
): string {
  const used = new Set<string>();
  const text = JSON.stringify(document, (_, value: unknown) => {
    if (typeof value !== 'string') return value;
    return value.replace(PARAMETER, (_match, name: string) => {
      if (!Object.hasOwn(parameters, name)) throw invalid(`the document names a parameter ${name}, which is not given`);
      used.add(name);
      return parameters[name] ?? '';
    });
  });
  const unused = Object.keys(parameters).find((name) => !used.has(name));
  if (unused !== undefined) throw invalid(`the document does not name the parameter ${unused.slice(0, 64)}`);
  if (Buffer.byteLength(text) > MAX_DOCUMENT_BYTES)
    throw new SelsynError('request.too-large', `a job document has at most ${MAX_DOCUMENT_BYTES} bytes`);
  return text;
}

function invalid(message: string): SelsynError {
  return new SelsynError('request.invalid', message, { details: { field: 'parameters' } });
}
