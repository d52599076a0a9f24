import type { FastifyInstance, FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { ERRORS, isSelsynError, SelsynError } from '../../kernel/errors.ts';
import type { LogLines } from '../../kernel/log-lines.ts';
import { certificateIdOf } from '../../pki/certificate-reading.ts';
import type { CertificateService } from '../../pki/certificate-service.ts';
import type { Signing } from '../../pki/signing.ts';
import type { EstEnrolment, EstResult } from '../../provisioning/est-enrolment.ts';
import { toldOf } from '../../provisioning/refusal.ts';
import type { AddressPace } from './address-pace.ts';
import { addressOf, ensurePrivate, shownCertificate, shownToken } from './device-request.ts';
import { attributesBody, certificatesBody, EST_TYPE, MAX_EST_BODY_BYTES, readEstBody } from './est-messages.ts';

export interface EstRoutesDependencies {
  readonly est: Pick<EstEnrolment, 'isLabel' | 'enrolByToken' | 'enrolByClaim' | 'renew'>;
  readonly signing: Pick<Signing, 'authorities'>;
  readonly certificates: Pick<CertificateService, 'find'>;
  readonly pace: AddressPace;
  readonly logLines: LogLines;
}

interface LabelParams {
  readonly label?: string;
}

const CHALLENGE = 'Basic realm="selsyn", charset="UTF-8"';
const RETRY_AFTER_SEC = 2;

/**
 * Enrollment over Secure Transport (RFC 7030, with RFC 8951): cacerts, csrattrs, simpleenroll, simplereenroll below
 * `/.well-known/est`, with a label (section 3.2.2) that names a template. `/fullcmc` and `/serverkeygen` are not there.
 *
 * Errors are plain text (section 4.2.3).
 */
export function estRoutes(dependencies: EstRoutesDependencies): FastifyPluginAsync {
  return async (app) => {
    answerInText(app, dependencies.logLines);
    app.addContentTypeParser(EST_TYPE.request, { parseAs: 'buffer', bodyLimit: MAX_EST_BODY_BYTES }, (_request, body, done) =>
      done(null, body),
    );
    for (const prefix of ['/.well-known/est', '/.well-known/est/:label']) addRoutes(app, prefix, dependencies);
  };
}

function addRoutes(app: FastifyInstance, prefix: string, { est, signing, certificates, pace }: EstRoutesDependencies): void {
  const schema = { hide: true };
  const ensureLabel = async ({ label }: LabelParams): Promise<void> => {
    if (label !== undefined && !(await est.isLabel(label)))
      throw new SelsynError('template.not-found', 'there is nothing for this label');
  };

  app.get<{ Params: LabelParams }>(`${prefix}/cacerts`, { schema }, async (request, reply) => {
    pace.ensure('look', addressOf(request));
    await ensureLabel(request.params);
    return await sendBase64(reply, EST_TYPE.certificates, certificatesBody(await authoritiesOf(signing)));
  });

  app.get<{ Params: LabelParams }>(`${prefix}/csrattrs`, { schema }, async (request, reply) => {
    pace.ensure('look', addressOf(request));
    await ensureLabel(request.params);
    return await sendBase64(reply, EST_TYPE.attributes, attributesBody());
  });

  // All is decided before the body is read, but what needs it.
  const onRequest = async (request: FastifyRequest): Promise<void> => {
    pace.ensure('enrol', addressOf(request));
    ensurePrivate(request);
  };

  app.post<{ Params: LabelParams }>(
    `${prefix}/simpleenroll`,
    { schema, onRequest, bodyLimit: MAX_EST_BODY_BYTES },
    async (request, reply) => {
      const token = shownToken(request);
      const certificateId = token === undefined ? await claimOf(certificates, shownCertificate(request)) : undefined;
      if (token === undefined && certificateId === undefined) return await sendChallenge(reply);
      const asked = { csr: readEstBody(request.body), template: request.params.label, remoteAddress: addressOf(request) };
      return await sendResult(
        reply,
        certificateId === undefined ? await est.enrolByToken(asked, token ?? '') : await est.enrolByClaim(asked, certificateId),
      );
    },
  );

  app.post<{ Params: LabelParams }>(
    `${prefix}/simplereenroll`,
    { schema, onRequest, bodyLimit: MAX_EST_BODY_BYTES },
    async (request, reply) => {
      const certificate = shownCertificate(request);
      if (certificate === undefined)
        return await sendText(
          reply,
          403,
          'A device renews its certificate by showing the one that it has, in the TLS handshake.',
        );
      await ensureLabel(request.params);
      const asked = { csr: readEstBody(request.body), template: request.params.label, remoteAddress: addressOf(request) };
      return await sendResult(reply, await est.renew(asked, certificate));
    },
  );
}

/** What certificates from here are checked with, and others of ours that are in use: the one that issues first, each with its root. */
async function authoritiesOf(signing: Pick<Signing, 'authorities'>): Promise<readonly string[]> {
  const authorities = (await signing.authorities()).toSorted((one, other) => Number(other.issuing) - Number(one.issuing));
  return [...new Set(authorities.flatMap(({ certificatePem, rootPem }) => [certificatePem, rootPem]))];
}

/** The id of a claim certificate that is registered; whether it may be used is looked at later. Others do not enrol. */
async function claimOf(certificates: Pick<CertificateService, 'find'>, der: Uint8Array | undefined): Promise<string | undefined> {
  if (der === undefined) return undefined;
  const id = certificateIdOf(der);
  return (await certificates.find(id))?.purpose === 'claim' ? id : undefined;
}

async function sendResult(reply: FastifyReply, result: EstResult): Promise<FastifyReply> {
  if (result.outcome === 'issued') return await sendBase64(reply, EST_TYPE.issued, certificatesBody([result.certificatePem]));
  if (result.outcome === 'unknown') return await sendChallenge(reply);
  const { statusCode, message } = toldOf(result.refusal);
  if (statusCode === 429 || statusCode === 503) reply.header('Retry-After', RETRY_AFTER_SEC);
  return await sendText(reply, statusCode, message);
}

/** RFC 7030, section 3.2.3. */
async function sendChallenge(reply: FastifyReply): Promise<FastifyReply> {
  reply.header('WWW-Authenticate', CHALLENGE);
  return await sendText(reply, 401, 'A claim certificate is needed, or a provisioning token as the password of HTTP Basic.');
}

/** The transfer encoding is named for clients that go by RFC 7030 alone. */
async function sendBase64(reply: FastifyReply, type: string, body: string): Promise<FastifyReply> {
  // Not as text: no charset is to be added to the type.
  return await reply
    .header('Content-Type', type)
    .header('Content-Transfer-Encoding', 'base64')
    .header('Cache-Control', 'no-store')
    .send(Buffer.from(body, 'latin1'));
}

async function sendText(reply: FastifyReply, status: number, text: string): Promise<FastifyReply> {
  return await reply
    .code(status)
    .header('Cache-Control', 'no-store')
    .type('text/plain; charset=utf-8')
    .send(Buffer.from(`${text}\n`));
}

function answerInText(app: FastifyInstance, logLines: LogLines): void {
  app.setErrorHandler(async (error, request, reply) => {
    const status = statusOf(error);
    if (status >= 500) logLines.error({ err: error, path: request.url.slice(0, 200) }, 'a request of EST could not be served');
    if (isSelsynError(error) && error.retryable) reply.header('Retry-After', RETRY_AFTER_SEC);
    const isSaid = status < 500 && error instanceof Error;
    return await sendText(reply, status, isSaid ? error.message : 'The request could not be served: try again later.');
  });
}

function statusOf(error: unknown): number {
  if (isSelsynError(error)) return ERRORS[error.code].status;
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : undefined;
  return typeof status === 'number' && status >= 400 ? status : 500;
}
