import { z } from 'zod';
import { MAX_GROUP_PATH } from '../registry/group-path.ts';
import { PERMISSIONS } from '../people/permissions.ts';

/** What several routes about people have in common. */
export const groupField = z.string().max(MAX_GROUP_PATH).describe('A node of the group tree, as `/acme/building-42`.');

export const roleField = z.string().min(1).max(64).describe('The name of a role.');

export const permissionField = z.enum(PERMISSIONS);

export const roleAtSchema = z.strictObject({ role: roleField, group: groupField }).describe('A role at a node and below it.');

export const nameParams = z.object({ name: z.string().min(1).max(256).describe('The name that the user signs in with.') });

export const sessionSchema = z
  .object({
    id: z.string(),
    method: z.enum(['password', 'oidc']),
    remoteAddress: z.string(),
    userAgent: z.string(),
    createdAtMs: z.number(),
    seenAtMs: z.number().describe('Of the last request, to the minute.'),
    expiresAtMs: z.number().describe('When it ends at the latest.'),
  })
  .describe('Where a user is signed in.');

export const passwordField = z.string().min(1).max(1024);
