import type { OutgoingRecord, OutgoingSample } from './delivery.ts';

const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** One of the values that JSON has for a payload: text where it is text, and base64 where it is not. */
export function payloadJson(payload: Uint8Array): { readonly payload: string } | { readonly payloadBase64: string } {
  try {
    return { payload: UTF8.decode(payload) };
  } catch {
    return { payloadBase64: Buffer.from(payload).toString('base64') };
  }
}

/** A record as a webhook gets it. */
export function recordJson(record: OutgoingRecord, logName: string): object {
  const { partition, offset, device, topic, arrivalMs, payload, samples } = record;
  const id = `${logName}-${partition}-${offset}`;
  if (samples === undefined) return { id, device, topic, arrivalMs, ...payloadJson(payload) };
  return { id, device, topic, arrivalMs, samples: samples.map(sampleJson) };
}

/** A sample as Selsyn itself takes it. */
export function sampleJson({ timeMs, values }: OutgoingSample): { readonly ts: number; readonly values: object } {
  return { ts: timeMs, values };
}
