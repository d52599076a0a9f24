import type { FastifyReply } from 'fastify';
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { MAX_OCSP_REQUEST_BYTES } from '../pki/ocsp-request.ts';
import { certificateBlocks, derOfPem } from '../pki/pem.ts';
import { PUBLICATION_PATHS } from '../pki/publication.ts';
import type { StatusAnswer } from '../pki/revocation-status.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { onlyProblems } from './route-responses.ts';

/** Caches ask again after so long, at the cost of a header: a revocation is seen by then. */
const LIST_CACHE_SEC = 300;
const AUTHORITY_CACHE_SEC = 3_600;
const MAX_CERTIFICATE_BYTES = 65_536;
const OCSP_REQUEST = 'application/ocsp-request';
const OCSP_RESPONSE = 'application/ocsp-response';
const CRL = 'application/pkix-crl';
const CERTIFICATE = 'application/pkix-cert';
const PEM_FILE = 'application/x-pem-file';

const FAULTS = onlyProblems(
  'request.invalid',
  'authority.not-found',
  'signer.busy',
  'signer.unavailable',
  'thread.timeout',
  'internal',
);

/** What third parties check certificates of this server with: the authorities, their CRLs, OCSP. Asks for no key. */
export function publicationRoutes({ pki, clock }: Pick<ApiDependencies, 'pki' | 'clock'>): FastifyPluginAsyncZod {
  const { lists, status, signing } = pki;
  return async (app) => {
    app.addContentTypeParser(OCSP_REQUEST, { parseAs: 'buffer', bodyLimit: MAX_OCSP_REQUEST_BYTES }, (_request, body, done) => {
      done(null, body);
    });

    app.get(
      '/pki/ca.crt',
      {
        schema: {
          operationId: 'getAuthorityChain',
          summary: 'The authority that issues, and its root',
          tags: ['certificates'],
          security: [],
          response: { 200: file('PEM, the root last.', PEM_FILE), ...FAULTS },
        },
      },
      async (_request, reply) => {
        const issuing = (await signing.authorities()).find((authority) => authority.issuing);
        const chain = new Set([...certificateBlocks(issuing?.chainPem ?? ''), ...certificateBlocks(issuing?.rootPem ?? '')]);
        return await cached(reply, AUTHORITY_CACHE_SEC)
          .type(PEM_FILE)
          .send([...chain].join(''));
      },
    );

    app.get(
      PUBLICATION_PATHS.authority('').replace('.cer', ':file'),
      {
        schema: {
          operationId: 'getAuthorityCertificate',
          summary: 'The certificate of an authority of this server',
          tags: ['certificates'],
          security: [],
          params: fileParams('cer'),
          response: { 200: file('DER.', CERTIFICATE), ...FAULTS },
        },
      },
      async (request, reply) => {
        const id = request.params.file;
        const authority = (await signing.authorities()).find((each) => each.id === id);
        if (authority === undefined) throw noAuthority(id);
        const der = derOfPem(authority.certificatePem, ['CERTIFICATE'], MAX_CERTIFICATE_BYTES, corrupt);
        return await cached(reply, AUTHORITY_CACHE_SEC).type(CERTIFICATE).send(der);
      },
    );

    app.get(
      PUBLICATION_PATHS.crl('').replace('.crl', ':file'),
      {
        schema: {
          operationId: 'getRevocationList',
          summary: 'What an authority of this server has revoked (CRL)',
          tags: ['certificates'],
          security: [],
          params: fileParams('crl'),
          response: {
            200: file('DER. A copy whose ETag is named by If-None-Match is answered 304 while it is good.', CRL),
            ...FAULTS,
          },
        },
      },
      async (request, reply) => {
        const list = await lists.get(request.params.file);
        const tag = `"${list.number}"`;
        const answer = cached(reply, LIST_CACHE_SEC)
          .header('ETag', tag)
          .header('Last-Modified', new Date(list.thisUpdateMs).toUTCString());
        if (request.headers['if-none-match'] === tag) return await answer.code(304).send(null);
        return await answer.type(CRL).send(bufferOf(list.der));
      },
    );

    app.post(
      PUBLICATION_PATHS.ocsp,
      {
        schema: {
          operationId: 'askOcsp',
          summary: 'Ask whether certificates are good (OCSP)',
          tags: ['certificates'],
          security: [],
          response: {
            200: file('An OCSPResponse (RFC 6960); faults of the question are answers too.', OCSP_RESPONSE),
            ...FAULTS,
          },
        },
      },
      async (request, reply) => answered(reply, await status.answer(bytesOf(request.body)), clock.now()),
    );

    app.get(
      `${PUBLICATION_PATHS.ocsp}/*`,
      {
        schema: {
          operationId: 'askOcspByGet',
          summary: 'The same, where the question stands in the path in base64 (RFC 6960, appendix A.1)',
          tags: ['certificates'],
          security: [],
          params: z.object({ '*': z.string().describe('The request, DER in base64.') }),
          response: { 200: file('An OCSPResponse.', OCSP_RESPONSE), ...FAULTS },
        },
      },
      async (request, reply) => answered(reply, await status.answer(Buffer.from(request.params['*'], 'base64')), clock.now()),
    );
  };
}

/** A name as `ID.crl`; its id. */
function fileParams(ending: string) {
  const pattern = `^[0-9a-f]{64}\\.${ending}$`;
  return z.object({
    file: z
      .string()
      .regex(new RegExp(pattern), `must be the id of an authority and .${ending}`)
      .transform((name) => name.slice(0, 64))
      .meta({ type: 'string', description: `The id of the authority, and \`.${ending}\`.`, pattern }),
  });
}

function file(description: string, type: string) {
  return { description, content: { [type]: { schema: z.string().meta({ format: 'binary' }) } } };
}

function cached(reply: FastifyReply, maxAgeSec: number): FastifyReply {
  return reply.header('Cache-Control', `public, max-age=${maxAgeSec}`);
}

function answered(reply: FastifyReply, { der, goodUntilMs }: StatusAnswer, nowMs: number): FastifyReply {
  const goodForSec = goodUntilMs === undefined ? 0 : Math.floor((goodUntilMs - nowMs) / 1_000);
  reply.header('Cache-Control', goodForSec > 0 ? `public, max-age=${goodForSec}` : 'no-store');
  return reply.type(OCSP_RESPONSE).send(bufferOf(der));
}

/** Whatever else was sent is no question either. */
function bytesOf(body: unknown): Uint8Array {
  return body instanceof Uint8Array ? body : new Uint8Array();
}

function bufferOf(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function noAuthority(id: string): SelsynError {
  return new SelsynError('authority.not-found', `there is no authority ${id} of this server`, { details: { id } });
}

function corrupt(why: string): SelsynError {
  return new SelsynError('data.corrupt', `the certificate of an authority cannot be read: ${why}`);
}
