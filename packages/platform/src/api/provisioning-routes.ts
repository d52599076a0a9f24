import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod';
import { z } from 'zod';
import { SelsynError } from '../kernel/errors.ts';
import { mayEverywhere, type Caller } from '../people/caller.ts';
import { readAwsTemplate } from '../provisioning/aws-template.ts';
import { MAX_BATCH_COUNT, MAX_RATE_PER_MINUTE } from '../provisioning/claim-batches.ts';
import { TEMPLATE_NAME } from '../provisioning/provisioning-topics.ts';
import { access } from './access-guard.ts';
import type { ApiDependencies } from './api-dependencies.ts';
import {
  certificateSchema,
  claimParams,
  claimSchema,
  claimToJson,
  templateBodySchema,
  templateParams,
  templateSchema,
  templateToJson,
} from './provisioning-schemas.ts';
import { problems } from './route-responses.ts';

const MAX_CSR = 16_384;
const BODY = ['request.too-large', 'request.unsupported-media-type'] as const;

const claimDraftSchema = z.strictObject({
  name: z.string().regex(TEMPLATE_NAME, 'must be 1 to 128 of A-Z a-z 0-9 : _ . -'),
  template: z.string().min(1).max(128),
  maxCount: z.number().int().min(1).max(MAX_BATCH_COUNT).describe('Devices that may enrol with it.'),
  expiresAtMs: z.number().int().positive().describe('Its certificates end then too.'),
  ratePerMinute: z
    .number()
    .int()
    .min(1)
    .max(MAX_RATE_PER_MINUTE)
    .default(600)
    .describe('Requests a minute, of all its units together; a device needs two, of two kinds that are counted apart.'),
});

/** How devices come in: templates and claim batches. Those outside of the caller's own nodes look not there. */
export function provisioningRoutes({ provisioning, pki }: Pick<ApiDependencies, 'provisioning' | 'pki'>): FastifyPluginAsyncZod {
  const { templates, batches } = provisioning;
  return async (app) => {
    app.get(
      '/provisioning/templates',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'listTemplates',
          summary: 'List provisioning templates',
          tags: ['provisioning'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(templateSchema) }).describe('By name.'), ...problems() },
        },
      },
      async (request) => ({ items: (await templates.list(access(request).scope)).map(templateToJson) }),
    );

    app.get(
      '/provisioning/templates/:name',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'getTemplate',
          summary: 'Show a provisioning template',
          tags: ['provisioning'],
          params: templateParams,
          querystring: z.strictObject({}),
          response: { 200: templateSchema, ...problems('template.not-found') },
        },
      },
      async (request) => templateToJson(await templates.get(request.params.name, access(request).scope)),
    );

    app.put(
      '/provisioning/templates/:name',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'putTemplate',
          summary: 'Make a provisioning template, or change it',
          description:
            'A template that attaches policies needs `policies:write` at `/`, one with a hook `provisioning:write` at `/`: the one gives ' +
            'rights, the other lets the server ask any address.',
          tags: ['provisioning'],
          params: templateParams,
          body: templateBodySchema,
          response: {
            200: templateSchema,
            201: templateSchema.describe('It is new.'),
            ...problems('template.not-found', 'policy.not-found', 'device-type.not-found', ...BODY),
          },
        },
      },
      async (request, reply) => {
        const { name } = request.params;
        const { actor, caller, scope } = access(request);
        const draft = draftOf(request.body);
        ensureMay(caller, draft);
        const isNew = await templates.put({ name, ...draft }, scope, actor);
        return reply.code(isNew ? 201 : 200).send(templateToJson(await templates.get(name)));
      },
    );

    app.delete(
      '/provisioning/templates/:name',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'removeTemplate',
          summary: 'Remove a provisioning template with its manifest',
          tags: ['provisioning'],
          params: templateParams,
          querystring: z.strictObject({}),
          response: { 204: z.null().describe('Removed.'), ...problems('template.not-found', 'template.in-use') },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        await templates.remove(request.params.name, scope, actor);
        return reply.code(204).send(null);
      },
    );

    app.get(
      '/provisioning/claims',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'listClaimBatches',
          summary: 'List claim batches',
          tags: ['provisioning'],
          querystring: z.strictObject({}),
          response: { 200: z.object({ items: z.array(claimSchema) }).describe('Newest first.'), ...problems() },
        },
      },
      async (request) => ({ items: (await batches.list(access(request).scope)).map(claimToJson) }),
    );

    app.post(
      '/provisioning/claims',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'addClaimBatch',
          summary: 'Make a claim batch',
          tags: ['provisioning'],
          body: claimDraftSchema,
          response: { 201: claimSchema, ...problems('template.not-found', 'claim-batch.exists', ...BODY) },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const batch = await batches.create(request.body, scope, actor);
        return reply
          .code(201)
          .header('Location', `/api/v1/provisioning/claims/${encodeURIComponent(batch.name)}`)
          .send(claimToJson(batch));
      },
    );

    app.get(
      '/provisioning/claims/:name',
      {
        config: { permission: 'provisioning:read' },
        schema: {
          operationId: 'getClaimBatch',
          summary: 'Show a claim batch',
          tags: ['provisioning'],
          params: claimParams,
          querystring: z.strictObject({}),
          response: { 200: claimSchema, ...problems('claim-batch.not-found') },
        },
      },
      async (request) => claimToJson(await batches.get(request.params.name, access(request).scope)),
    );

    app.post(
      '/provisioning/claims/:name/stop',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'stopClaimBatch',
          summary: 'Stop a claim batch',
          description: 'Nobody enrols with it from now on. It cannot be started again.',
          tags: ['provisioning'],
          params: claimParams,
          querystring: z.strictObject({}),
          response: { 200: claimSchema, ...problems('claim-batch.not-found') },
        },
      },
      async (request) => {
        const { actor, scope } = access(request);
        return claimToJson(await batches.stop(request.params.name, scope, actor));
      },
    );

    app.post(
      '/provisioning/claims/:name/certificates',
      {
        config: { permission: 'provisioning:write' },
        schema: {
          operationId: 'issueClaimCertificate',
          summary: 'Issue a claim certificate',
          description: 'What a factory puts into each unit. It ends with its batch.',
          tags: ['provisioning'],
          params: claimParams,
          body: z.strictObject({
            csrPem: z.string().min(1).max(MAX_CSR).optional().describe('PEM. Absent: the key is made here and shown this once.'),
          }),
          response: {
            201: certificateSchema,
            ...problems('claim-batch.not-found', 'csr.invalid', 'csr.weak-key', 'signer.busy', 'signer.unavailable', ...BODY),
          },
        },
      },
      async (request, reply) => {
        const { actor, scope } = access(request);
        const issued = await batches.issueCertificate(request.params.name, request.body.csrPem, scope, actor);
        const caPem = await pki.serverRootPem();
        return reply.code(201).send({ ...issued, caPem });
      },
    );
  };
}

type TemplateBody = z.infer<typeof templateBodySchema>;
type OwnForm = Exclude<TemplateBody, { awsTemplate: unknown }>;

function draftOf(body: TemplateBody): {
  readonly enabled: boolean;
  readonly policies?: readonly string[];
  readonly hook?: unknown;
} {
  if (!('awsTemplate' in body)) return body satisfies OwnForm;
  const { awsTemplate, serial, ...rest } = body;
  const { policies = [], ...read } = readAwsTemplate(awsTemplate);
  return { ...read, policies, ...(serial !== undefined && { serial }), ...rest };
}

/** @throws SelsynError `access.denied` */
function ensureMay(caller: Caller, { policies = [], hook }: ReturnType<typeof draftOf>): void {
  if (policies.length > 0 && !mayEverywhere(caller, 'policies:write'))
    throw denied(caller, 'policies:write', 'a template that attaches policies');
  if (hook !== undefined && !mayEverywhere(caller, 'provisioning:write'))
    throw denied(caller, 'provisioning:write', 'a template with a hook');
}

function denied({ actor }: Caller, permission: string, what: string): SelsynError {
  return new SelsynError('access.denied', `${actor.name} does not have the permission ${permission} at /, which ${what} needs`, {
    details: { permission },
  });
}
