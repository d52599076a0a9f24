import type { ApiClient } from './api-client.ts';
import { CliError } from './cli-error.ts';

/** As the API gives it. */
export interface CertificateItem {
  readonly id: string;
  readonly device?: string;
  readonly claimBatch?: string;
  readonly purpose: string;
  readonly status: 'pending' | 'active' | 'revoked';
  readonly authority: string;
  readonly serial: string;
  readonly subject: string;
  readonly keyHash: string;
  readonly keyKind: string;
  readonly notBeforeMs: number;
  readonly notAfterMs: number;
  readonly createdAtMs: number;
  readonly activatedAtMs?: number;
  readonly firstUsedAtMs?: number;
  readonly revokedAtMs?: number;
  readonly revocationReason?: string;
}

export interface IssuedItem {
  readonly certificateId: string;
  readonly certificatePem: string;
  readonly chainPem: string;
  readonly caPem: string;
  readonly privateKeyPem?: string;
  readonly notAfterMs: number;
}

/** Has a certificate issued. @throws CliError */
export async function issueCertificate(
  api: ApiClient,
  device: string,
  options: { readonly csrPem: string | undefined; readonly days: number | undefined; readonly create: boolean },
): Promise<IssuedItem> {
  const { csrPem, days, create } = options;
  const path = `/devices/${encodeURIComponent(device)}/certificates`;
  const body = { ...(csrPem !== undefined && { csrPem }), ...(days !== undefined && { days }) };
  if (create) {
    // Its token is not shown: nobody has it, and the device needs none.
    await api.post('/devices', { id: device }).catch((error: unknown) => {
      if (!(error instanceof CliError && error.code === 'device.exists')) throw error;
    });
  }
  try {
    return await api.post<IssuedItem>(path, body);
  } catch (error) {
    if (!(error instanceof CliError && error.code === 'device.not-found')) throw error;
    throw new CliError(`${error.message}; add --create to have it added`);
  }
}

/** The certificate whose id is this or begins so. @throws CliError when there is none, or more than one */
export async function findCertificate(api: ApiClient, id: string): Promise<CertificateItem> {
  const digits = id.replaceAll(':', '').toLowerCase();
  if (!/^[0-9a-f]{8,64}$/.test(digits))
    throw new CliError(`"${id}" is no id of a certificate: give its SHA-256, or the first 8 digits and more`);
  const found: CertificateItem[] = [];
  for await (const item of api.pages<CertificateItem>('/certificates', { fingerprint: digits, limit: 2 })) {
    found.push(item);
    if (found.length > 1) break;
  }
  const [only, another] = found;
  if (only === undefined) throw new CliError(`there is no certificate ${id} (certificate.not-found)`);
  if (another !== undefined) throw new CliError(`${id} is the beginning of more than one certificate: give more digits`);
  return only;
}
