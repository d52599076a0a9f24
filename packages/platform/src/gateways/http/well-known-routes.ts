import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { type ErrorCode, isSelsynError, SelsynError } from '../../kernel/errors.ts';
import { describeCertificate } from '../../pki/certificate-reading.ts';
import { certificateBlocks } from '../../pki/pem.ts';
import { RefusedError, toldOf } from '../../provisioning/refusal.ts';
import type { TemplateStore, UsableTemplate } from '../../provisioning/template-store.ts';
import type { TokenEnrolment } from '../../provisioning/token-enrolment.ts';
import type { AddressPace } from './address-pace.ts';
import { addressOf, ensurePrivate, shownToken } from './device-request.ts';
import { endpointsSchema } from './endpoints-schema.ts';
import { isLoopbackAddress, type PublicEndpoints } from './public-endpoints.ts';

/** The error answers of a route, for its description. */
export type DescribeProblems = (...codes: readonly ErrorCode[]) => Record<string, object>;

export interface WellKnownDependencies {
  readonly templates: Pick<TemplateStore, 'find' | 'list'>;
  readonly tokenDoor: Pick<TokenEnrolment, 'tokenOf'>;
  readonly endpoints: PublicEndpoints;
  /** What clients are to trust, PEM; undefined: the server has a certificate of its own. */
  readonly trustedPem: () => string | undefined;
  /** Empty: the only one. */
  readonly defaultTemplate: string;
  readonly pace: AddressPace;
}

const wellKnownSchema = z
  .object({
    endpoints: endpointsSchema,
    caCertificate: z
      .string()
      .optional()
      .describe(
        'What to trust, PEM. Absent: the server has a certificate that others vouch for. Who gets it unseen trusts on first use.',
      ),
    caFingerprint: z.string().optional().describe('SHA-256 of that certificate, hex: to be compared with what is known already.'),
    enrolment: z
      .object({
        template: z.string(),
        parameters: z.record(z.string(), z.object({ required: z.boolean() })).describe('What a device says of itself.'),
        serial: z.string().describe('Which of them is the serial number.'),
        mqtt: z
          .object({ createFromCsr: z.string(), create: z.string(), provision: z.string() })
          .describe('Topics for who has a claim certificate (AWS IoT fleet provisioning).'),
        est: z.string().optional().describe('URL below which EST is (RFC 7030).'),
        token: z.string().optional().describe('URL for who has a provisioning token.'),
      })
      .optional()
      .describe('How to become a device. Absent: there is no template to be told of.'),
    configuration: z
      .record(z.string(), z.unknown())
      .optional()
      .describe('For who shows a provisioning token: what its device will be told, as far as it is known.'),
  })
  .describe('Where this server is and how a device comes in.');

/** `GET /.well-known/selsyn`: all that a device needs which knows one URL. */
export function wellKnownRoutes(dependencies: WellKnownDependencies, problems: DescribeProblems): FastifyPluginAsyncZod {
  const { templates, tokenDoor, endpoints, trustedPem, pace } = dependencies;
  return async (app) => {
    app.get(
      '/.well-known/selsyn',
      {
        schema: {
          operationId: 'discover',
          summary: 'Tell a device where everything is',
          description:
            'Asks for no key. With a provisioning token (`Authorization: Bearer TOKEN`) also the configuration of its template.',
          tags: ['provisioning'],
          security: [],
          querystring: z.strictObject({
            template: z.string().max(128).optional().describe('By default that of the token, or the one of the setting.'),
            serial: z.string().max(128).optional().describe('With a token: of the device that the configuration is to be for.'),
          }),
          response: {
            200: wellKnownSchema,
            ...problems(
              'request.invalid',
              'request.insecure',
              'request.rate-limited',
              'access.unauthenticated',
              'enrolment.refused',
              'template.not-found',
            ),
          },
        },
      },
      async (request, reply) => {
        const remoteAddress = addressOf(request);
        pace.ensure('look', remoteAddress);
        const { template: wanted, serial } = request.query;
        const shown = shownToken(request);
        const token = shown === undefined ? undefined : await tokenOf(shown, () => ensurePrivate(request));
        const usable = await templateOf(token?.template, wanted);
        const urls = endpoints.for({ host: request.headers.host, isLocal: isLoopbackAddress(remoteAddress) });
        const configuration =
          token === undefined || usable === undefined ? undefined : configurationOf(usable, token.serial ?? serial);
        // What it says hangs on who asks and by which name.
        reply.header('Cache-Control', 'no-store');
        return {
          endpoints: urls,
          ...trust(),
          ...(usable !== undefined && { enrolment: enrolmentOf(usable, urls.https) }),
          ...(configuration !== undefined && { configuration }),
        };
      },
    );
  };

  async function tokenOf(
    shown: string,
    ensure: () => void,
  ): Promise<NonNullable<Awaited<ReturnType<TokenEnrolment['tokenOf']>>>> {
    ensure();
    try {
      const token = await tokenDoor.tokenOf(shown);
      if (token !== undefined) return token;
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      const { statusCode, message } = toldOf(error.refusal);
      throw new SelsynError(statusCode === 429 ? 'request.rate-limited' : 'enrolment.refused', message, {
        retryable: statusCode === 429,
      });
    }
    throw new SelsynError('access.unauthenticated', 'this server does not know the provisioning token');
  }

  /** One that is named must be there, and may be used; a default that is not is left out. */
  async function templateOf(ofToken: string | undefined, wanted: string | undefined): Promise<UsableTemplate | undefined> {
    const named = wanted ?? ofToken;
    if (named === undefined) {
      const name = dependencies.defaultTemplate === '' ? await onlyTemplate() : dependencies.defaultTemplate;
      const usable = name === undefined ? undefined : await templates.find(name);
      return usable?.template.enabled === true ? usable : undefined;
    }
    const usable = await templates.find(named);
    const isOfToken = ofToken === undefined || ofToken === named;
    if (usable?.template.enabled === true && isOfToken) return usable;
    throw new SelsynError('template.not-found', `there is no provisioning template ${named}`, { details: { name: named } });
  }

  async function onlyTemplate(): Promise<string | undefined> {
    const enabled = (await templates.list()).filter((template) => template.enabled);
    return enabled.length === 1 ? enabled[0]?.name : undefined;
  }

  function trust(): { readonly caCertificate?: string; readonly caFingerprint?: string } {
    const [pem] = certificateBlocks(trustedPem() ?? '');
    return pem === undefined ? {} : { caCertificate: pem, caFingerprint: describeCertificate(pem).id };
  }
}

function enrolmentOf({ template: { name, parameters, serial } }: UsableTemplate, httpsUrl: string | undefined) {
  const said = Object.entries(parameters).filter(([parameter]) => !parameter.startsWith('AWS::'));
  return {
    template: name,
    parameters: Object.fromEntries(
      said.map(([parameter, { default: byDefault }]) => [parameter, { required: byDefault === undefined }]),
    ),
    serial,
    mqtt: {
      createFromCsr: '$aws/certificates/create-from-csr/json',
      create: '$aws/certificates/create/json',
      provision: `$aws/provisioning-templates/${name}/provision/json`,
    },
    ...(httpsUrl !== undefined && { est: `${httpsUrl}/.well-known/est/${name}`, token: `${httpsUrl}/api/v1/provision` }),
  };
}

/** Undefined while something is missing that only the device can say. */
function configurationOf({ compiled, template }: UsableTemplate, serial: string | undefined) {
  if (serial === undefined) return undefined;
  try {
    return compiled.fill({ [template.serial]: serial }).configuration;
  } catch (error) {
    if (isSelsynError(error, 'request.invalid', 'device.invalid-id')) return undefined;
    throw error;
  }
}
