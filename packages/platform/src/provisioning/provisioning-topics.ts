import { encodePayload, type PayloadFormat } from './provisioning-payload.ts';

/**
 * The topics by which devices enrol, as AWS IoT has them (AWS IoT Core developer guide, "Device provisioning MQTT API"):
 *
 * ```
 * $aws/certificates/create/FORMAT                            a certificate with a key that is made here
 * $aws/certificates/create-from-csr/FORMAT                   a certificate for the device's own key
 * $aws/provisioning-templates/TEMPLATE/provision/FORMAT      the device itself
 * ```
 * FORMAT is `json` or `cbor`. The answer comes on the same topic with `/accepted` or `/rejected` behind it.
 */
export type ProvisioningTopic =
  | { readonly request: 'create'; readonly format: PayloadFormat }
  | { readonly request: 'create-from-csr'; readonly format: PayloadFormat }
  | { readonly request: 'provision'; readonly template: string; readonly format: PayloadFormat };

/** A message for the one who asked. */
export interface ProvisioningAnswer {
  readonly topic: string;
  readonly payload: Uint8Array;
}

export const TEMPLATE_NAME = /^[A-Za-z0-9:_.-]{1,128}$/;

/** Whether publishing to the topic asks for something. It is asked for each topic of a connection: cheap for all others. */
export function isProvisioningTopic(topic: string): boolean {
  return parseProvisioningTopic(topic) !== undefined;
}

/** Undefined: it is none; those of answers are none either. */
export function parseProvisioningTopic(topic: string): ProvisioningTopic | undefined {
  if (topic.startsWith('$aws/certificates/')) {
    const [request, format, ...more] = topic.slice('$aws/certificates/'.length).split('/', 3);
    if (more.length > 0 || !isFormat(format)) return undefined;
    return request === 'create' || request === 'create-from-csr' ? { request, format } : undefined;
  }
  if (topic.startsWith('$aws/provisioning-templates/')) {
    const [template, verb, format, ...more] = topic.slice('$aws/provisioning-templates/'.length).split('/', 4);
    if (more.length > 0 || verb !== 'provision' || !isFormat(format) || template === undefined) return undefined;
    return TEMPLATE_NAME.test(template) ? { request: 'provision', template, format } : undefined;
  }
  return undefined;
}

/** What AWS answers where it refuses. */
export function rejectionOf(topic: string, statusCode: number, errorCode: string, errorMessage: string): ProvisioningAnswer {
  const format = topic.endsWith('/cbor') ? 'cbor' : 'json';
  return { topic: `${topic}/rejected`, payload: encodePayload(format, { statusCode, errorCode, errorMessage }) };
}

/** What AWS answers where it does as asked. */
export function acceptanceOf(
  topic: string,
  format: PayloadFormat,
  body: Readonly<Record<string, string | Readonly<Record<string, unknown>>>>,
): ProvisioningAnswer {
  return { topic: `${topic}/accepted`, payload: encodePayload(format, body) };
}

function isFormat(text: string | undefined): text is PayloadFormat {
  return text === 'json' || text === 'cbor';
}
