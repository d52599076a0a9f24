import type { Decoder, DecoderDraft, PayloadEncoding } from '../api/decoders.ts';
import { isJson } from '../api/json.ts';
import { prettyJson, typedObject } from '../format/typed-json.ts';

/** What the editor holds. */
export interface DecoderForm {
  readonly name: string;
  readonly description: string;
  readonly compression: string;
  readonly isScript: boolean;
  /** JSON of the format, or the source of a script. */
  readonly text: string;
}

export const COMPRESSIONS = ['none', 'auto', 'gzip', 'zlib', 'zstd'] as const;
const SCRIPT = 'script';

export const SCRIPT_TEMPLATE = `function decode(bytes, context) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return { temperature: view.getInt16(0) / 100, battery: view.getUint16(2) };
}`;

/** Formats to begin with. */
export const TEMPLATES: readonly {
  readonly label: string;
  readonly isScript: boolean;
  readonly text: string;
  readonly sample: string;
  readonly encoding: PayloadEncoding;
}[] = [
  {
    label: 'Packed binary',
    isScript: false,
    text: prettyJson({
      kind: 'packed',
      layout: '>hH',
      fields: [
        { metric: 'temperature', scale: 0.01 },
        { metric: 'battery', unit: 'mV' },
      ],
    }),
    sample: '092f 0ce4',
    encoding: 'hex',
  },
  {
    label: 'Paths in JSON',
    isScript: false,
    text: prettyJson({
      kind: 'paths',
      samples: '$.readings[*]',
      time: { path: '@.at', unit: 'iso8601' },
      metrics: [{ metric: 'temperature', path: '@.temp' }],
    }),
    sample: '{"readings":[{"at":"2026-11-22T10:00:00Z","temp":21.5}]}',
    encoding: 'text',
  },
  {
    label: 'SenML',
    isScript: false,
    text: prettyJson({ kind: 'senml', names: 'local' }),
    sample: '[{"bn":"urn:dev:ow:10e2:","n":"temperature","u":"Cel","v":23.1}]',
    encoding: 'text',
  },
  { label: 'Script', isScript: true, text: SCRIPT_TEMPLATE, sample: '092f 0ce4', encoding: 'hex' },
];

export function formOf({ name, description = '', compression, format }: Decoder): DecoderForm {
  const { kind, source } = format;
  if (kind === SCRIPT && typeof source === 'string') return { name, description, compression, isScript: true, text: source };
  return { name, description, compression, isScript: false, text: prettyJson(format) };
}

/** What to send, or what is wrong with the text. */
export function draftOf(form: DecoderForm): { readonly draft: DecoderDraft } | { readonly fault: string } {
  const { name, description, compression, isScript, text } = form;
  if (isScript) return { draft: { name, description, compression, format: { kind: SCRIPT, source: text } } };
  const typed = typedObject(text);
  if ('fault' in typed) return typed;
  if (!isJson(typed.value) || typeof typed.value['kind'] !== 'string')
    return { fault: 'It names its kind, as {"kind": "packed", …}.' };
  return { draft: { name, description, compression, format: typed.value } };
}

/** What is wrong with a sample message as it is typed; empty: nothing. */
export function sampleFault(encoding: PayloadEncoding, text: string): string {
  if (text.trim() === '') return 'A message is needed.';
  if (encoding === 'hex' && !/^([0-9A-Fa-f]{2}|\s)*$/.test(text)) return 'Pairs of hexadecimal digits, as 09 2f 0c e4.';
  if (encoding === 'base64' && !/^[A-Za-z0-9+/_-]*={0,2}$/.test(text.trim())) return 'This is no base64.';
  return '';
}
