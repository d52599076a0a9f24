import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type ErrorCode, SelsynError } from '../../kernel/errors.ts';
import type { Signing } from '../../pki/signing.ts';
import { PayloadError, readParameters, type Parameters } from '../../provisioning/provisioning-payload.ts';
import { type Refusal, type RefusalReason, toldOf } from '../../provisioning/refusal.ts';
import type { TokenEnrolment } from '../../provisioning/token-enrolment.ts';
import type { AddressPace } from './address-pace.ts';
import { addressOf, ensurePrivate, shownToken } from './device-request.ts';
import { endpointsSchema } from './endpoints-schema.ts';
import { isLoopbackAddress, type PublicEndpoints } from './public-endpoints.ts';
import type { DescribeProblems } from './well-known-routes.ts';

export interface ProvisionDependencies {
  readonly tokenDoor: Pick<TokenEnrolment, 'enrol'>;
  readonly endpoints: PublicEndpoints;
  readonly trustedPem: () => string | undefined;
  readonly signing: Pick<Signing, 'authorities'>;
  readonly pace: AddressPace;
}

const MAX_BODY_BYTES = 32_768;
const MAX_CSR_CHARACTERS = 26_000;

const requestSchema = z
  .strictObject({
    template: z.string().max(128).optional().describe('By default that of the token; another one is refused.'),
    parameters: z
      .record(z.string(), z.string())
      .default({})
      .describe('What the template asks for, by name; with the serial number.'),
    certificateSigningRequest: z
      .string()
      .max(MAX_CSR_CHARACTERS)
      .optional()
      .describe('PKCS#10, PEM, for a key that the device has made. Without it the server makes one.'),
    credential: z
      .enum(['certificate', 'token'])
      .default('certificate')
      .describe('What the device will sign in with; a token is for MQTT by name and password.'),
  })
  .refine(({ credential, certificateSigningRequest: csr }) => credential === 'certificate' || csr === undefined, {
    path: ['certificateSigningRequest'],
    message: 'a token needs no certificate request',
  });

const answerSchema = z
  .object({
    deviceId: z.string(),
    template: z.string(),
    group: z.string(),
    configuration: z.record(z.string(), z.unknown()),
    certificateId: z.string().optional().describe('SHA-256 of the certificate, hex.'),
    certificate: z.string().optional().describe('PEM.'),
    chain: z.string().optional().describe('PEM: the intermediates between it and its root; may be empty.'),
    privateKey: z.string().optional().describe('PKCS#8, PEM, where the server made it: it is kept nowhere.'),
    token: z.string().optional().describe('The password of the device, whose name is its id. Shown this once.'),
    caCertificate: z
      .string()
      .optional()
      .describe('What to trust, PEM. Absent: the server has a certificate that others vouch for.'),
    endpoints: endpointsSchema,
  })
  .describe('The device as it is now, with all that it needs to connect.');

/** `POST /provision`: enrolment by a pre-shared token. */
export function provisionRoutes(dependencies: ProvisionDependencies, problems: DescribeProblems): FastifyPluginAsyncZod {
  const { tokenDoor, endpoints, trustedPem, pace } = dependencies;
  return async (app) => {
    app.post(
      '/provision',
      {
        bodyLimit: MAX_BODY_BYTES,
        // Who may not come at all is told so before anything of a body is read.
        onRequest: async (request) => {
          pace.ensure('enrol', addressOf(request));
          ensurePrivate(request);
          if (shownToken(request) === undefined)
            throw new SelsynError(
              'access.unauthenticated',
              'the request needs a header "Authorization: Bearer TOKEN", with a provisioning token',
            );
        },
        schema: {
          operationId: 'provision',
          summary: 'Enrol a device by a provisioning token',
          description: 'For devices: `Authorization: Bearer TOKEN` with a provisioning token, over TLS (or on this machine).',
          tags: ['provisioning'],
          security: [],
          body: requestSchema,
          response: {
            201: answerSchema,
            ...problems(
              'request.invalid',
              'csr.invalid',
              'access.unauthenticated',
              'request.insecure',
              'enrolment.refused',
              'template.not-found',
              'request.too-large',
              'request.unsupported-media-type',
              'request.rate-limited',
              'signer.busy',
              'internal',
            ),
          },
        },
      },
      async (request, reply) => {
        const { template, credential, certificateSigningRequest: csr } = request.body;
        const remoteAddress = addressOf(request);
        const result = await tokenDoor.enrol({
          door: 'token',
          token: shownToken(request) ?? '',
          template,
          parameters: parametersOf(request.body.parameters),
          credential:
            credential === 'token' ? { kind: 'token' } : csr === undefined ? { kind: 'generate' } : { kind: 'csr', csr },
          remoteAddress,
        });
        if (result.outcome === 'unknown')
          throw new SelsynError('access.unauthenticated', 'this server does not know the provisioning token');
        if (!('deviceId' in result)) throw errorOf(result.refusal);
        const { certificate, deviceToken } = result;
        const trusted = trustedPem();
        reply.code(201).header('Cache-Control', 'no-store');
        return {
          deviceId: result.deviceId,
          template: result.template,
          group: result.group,
          configuration: { ...result.configuration },
          ...(certificate !== undefined && {
            certificateId: certificate.certificateId,
            certificate: certificate.certificatePem,
            chain: certificate.chainPem,
            ...(certificate.privateKeyPem !== undefined && { privateKey: certificate.privateKeyPem }),
          }),
          ...(deviceToken !== undefined && { token: deviceToken }),
          ...(trusted !== undefined && { caCertificate: trusted }),
          endpoints: endpoints.for({ host: request.headers.host, isLocal: isLoopbackAddress(remoteAddress) }),
        };
      },
    );
  };
}

/** @throws SelsynError `request.invalid` */
function parametersOf(value: unknown): Parameters {
  try {
    return readParameters(value);
  } catch (error) {
    if (error instanceof PayloadError) throw new SelsynError('request.invalid', `parameters: ${error.message}`, { cause: error });
    throw error;
  }
}

/** What is refused, as the API says it; of why, no more than devices are told everywhere. */
function errorOf(refused: Refusal): SelsynError {
  const code = CODES[refused.reason] ?? 'enrolment.refused';
  const { message } = toldOf(refused);
  return new SelsynError(code, message, { retryable: code === 'request.rate-limited' || code === 'signer.busy' });
}

const CODES: Partial<Record<RefusalReason, ErrorCode>> = {
  'payload-invalid': 'request.invalid',
  'parameters-invalid': 'request.invalid',
  'csr-invalid': 'csr.invalid',
  'template-unknown': 'template.not-found',
  'rate-limited': 'request.rate-limited',
  busy: 'signer.busy',
  failed: 'internal',
};
