import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import { authoritySchema, authorityToJson, pemField, sha256Params } from './certificate-schemas.ts';
import { problems } from './route-responses.ts';

const template = z.string().min(1).max(128);

const registrationSchema = z
  .object({
    code: z.string().describe('The common name of a certificate that the authority is to sign.'),
    expiresAtMs: z.number(),
  })
  .describe('A code for one registration.');

const registerSchema = z.strictObject({
  certificatePem: pemField.describe('The certificate of the authority.'),
  proofPem: pemField.describe('A certificate that it has signed, with the code as its common name.'),
  template: template
    .optional()
    .describe('The provisioning template by which its devices are registered when they first connect.'),
});

const patchSchema = z.strictObject({
  status: z.enum(['active', 'inactive']).optional(),
  template: template.nullable().optional().describe('Null: its devices do not register themselves.'),
});

const revokeSchema = z.strictObject({
  certificates: z.boolean().default(false).describe('Whether all certificates that it has signed are revoked too.'),
});

const BODY = ['request.too-large', 'request.unsupported-media-type'] as const;

/** The authorities whose certificates are taken. They belong to no group. */
export function authorityRoutes({ pki }: Pick<ApiDependencies, 'pki'>): FastifyPluginAsyncZod {
  const { authorities } = pki;
  return async (app) => {
    app.get(
      '/authorities',
      {
        config: { permission: 'certificates:read', everything: true },
        schema: {
          operationId: 'listAuthorities',
          summary: 'List certificate authorities',
          tags: ['certificates'],
          querystring: z.strictObject({}),
          response: {
            200: z.object({ items: z.array(authoritySchema) }).describe('All of them, the newest first.'),
            ...problems(),
          },
        },
      },
      async () => ({ items: (await authorities.list()).map(authorityToJson) }),
    );

    app.get(
      '/authorities/:id',
      {
        config: { permission: 'certificates:read', everything: true },
        schema: {
          operationId: 'getAuthority',
          summary: 'Show a certificate authority',
          tags: ['certificates'],
          params: sha256Params,
          querystring: z.strictObject({}),
          response: { 200: authoritySchema, ...problems('authority.not-found') },
        },
      },
      async (request) => authorityToJson(await authorities.get(request.params.id)),
    );

    app.post(
      '/authorities/registrations',
      {
        config: { permission: 'certificates:write', everything: true },
        schema: {
          operationId: 'openAuthorityRegistration',
          summary: 'Begin to register a certificate authority',
          description:
            'Gives a code, good for a week: the authority signs a certificate with it, and so shows that you hold its key.',
          tags: ['certificates'],
          querystring: z.strictObject({}),
          response: { 201: registrationSchema, ...problems() },
        },
      },
      async (_request, reply) => await reply.code(201).send(await authorities.openRegistration()),
    );

    app.post(
      '/authorities',
      {
        config: { permission: 'certificates:write', everything: true },
        schema: {
          operationId: 'registerAuthority',
          summary: 'Register a certificate authority',
          description: 'From now on TLS handshakes trust it, and with a template its devices register themselves.',
          tags: ['certificates'],
          body: registerSchema,
          response: {
            201: authoritySchema,
            ...problems(
              'certificate.invalid',
              'certificate.no-possession',
              'authority.exists',
              'signer.busy',
              'signer.unavailable',
              'thread.timeout',
              ...BODY,
            ),
          },
        },
      },
      async (request, reply) => {
        const registered = await authorities.register(request.body, access(request).actor);
        return await reply.code(201).header('Location', `/api/v1/authorities/${registered.id}`).send(authorityToJson(registered));
      },
    );

    app.patch(
      '/authorities/:id',
      {
        config: { permission: 'certificates:write', everything: true },
        schema: {
          operationId: 'updateAuthority',
          summary: 'Change a registered certificate authority',
          tags: ['certificates'],
          params: sha256Params,
          body: patchSchema,
          response: { 200: authoritySchema, ...problems('authority.not-found', 'authority.not-changeable', ...BODY) },
        },
      },
      async (request) => authorityToJson(await authorities.update(request.params.id, request.body, access(request).actor)),
    );

    app.post(
      '/authorities/:id/revoke',
      {
        config: { permission: 'certificates:write', everything: true },
        schema: {
          operationId: 'revokeAuthority',
          summary: 'Revoke a registered certificate authority',
          description:
            'No device registers itself by it any more. It cannot be undone. Asked again it goes on with the certificates.',
          tags: ['certificates'],
          params: sha256Params,
          body: revokeSchema.prefault({}),
          response: {
            200: z
              .object({ certificates: z.number().describe('How many certificates were revoked.') })
              .describe('It is revoked.'),
            ...problems('authority.not-found', 'authority.not-changeable', ...BODY),
          },
        },
      },
      async (request) => {
        const options = { withCertificates: request.body.certificates };
        return { certificates: await authorities.revoke(request.params.id, options, access(request).actor) };
      },
    );
  };
}
