import type { TemplateDefinition } from '../provisioning/template.ts';
import { fleetsFollow } from '../registry/fleet-store.ts';
import { AFTER_SLASH, parentOf, ROOT_GROUP } from '../registry/group-path.ts';
import type { GroupFollower } from '../registry/group-store.ts';

/** What was given to a group goes where the group goes: otherwise a path that is made anew would have what the old one had. */
export const groupFollowers: readonly GroupFollower[] = [
  fleetsFollow,
  grantsFollow,
  policiesFollow,
  homesFollow,
  templatesFollow,
];

/** Roles at a group. Those at a group that is removed end with it. */
async function grantsFollow(...[transaction, { from, to }]: Parameters<GroupFollower>): Promise<void> {
  const rows = (await transaction.selectFrom('role_grant').selectAll().execute()).filter((row) => isWithin(row.group_path, from));
  for (const row of rows) {
    await transaction
      .deleteFrom('role_grant')
      .where('holder_kind', '=', row.holder_kind)
      .where('holder_id', '=', row.holder_id)
      .where('role', '=', row.role)
      .where('source', '=', row.source)
      .where('group_path', '=', row.group_path)
      .execute();
    if (to === undefined) continue;
    await transaction
      .insertInto('role_grant')
      .values({ ...row, group_path: to + row.group_path.slice(from.length) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
}

/** Policies of a group. Those of a group that is removed end with it. */
async function policiesFollow(...[transaction, { from, to }]: Parameters<GroupFollower>): Promise<void> {
  const attachments = await transaction.selectFrom('policy_attachment').selectAll().where('target_kind', '=', 'group').execute();
  for (const row of attachments.filter(({ target_id: path }) => isWithin(path, from))) {
    await transaction
      .deleteFrom('policy_attachment')
      .where('policy_name', '=', row.policy_name)
      .where('target_kind', '=', 'group')
      .where('target_id', '=', row.target_id)
      .execute();
    if (to === undefined) continue;
    await transaction
      .insertInto('policy_attachment')
      .values({ ...row, target_id: to + row.target_id.slice(from.length) })
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  await transaction
    .updateTable('access_version')
    .set((builder) => ({ version: builder('version', '+', 1) }))
    .execute();
}

/** Users and keys are looked after at a group: where it is removed, at the one above. */
async function homesFollow(...[transaction, { from, to }]: Parameters<GroupFollower>): Promise<void> {
  const above = parentOf(from) ?? ROOT_GROUP;
  for (const table of ['user_account', 'api_key', 'access_key', 'enrolment_quarantine', 'enrolment_attempt'] as const) {
    const paths = await transaction
      .selectFrom(table)
      .select('group_path')
      .distinct()
      .where((builder) =>
        builder.or([
          builder('group_path', '=', from),
          builder.and([builder('group_path', '>', `${from}/`), builder('group_path', '<', from + AFTER_SLASH)]),
        ]),
      )
      .execute();
    for (const { group_path: path } of paths) {
      const moved = to === undefined ? above : to + path.slice(from.length);
      await transaction.updateTable(table).set({ group_path: moved }).where('group_path', '=', path).execute();
    }
  }
}

/**
 * Templates put devices below a group: where it is removed, below the one above. Otherwise they would go on putting them into
 * the path of before, whoever has that then.
 */
async function templatesFollow(...[transaction, { from, to }]: Parameters<GroupFollower>): Promise<void> {
  const rows = await transaction.selectFrom('provisioning_template').select(['name', 'group_path', 'definition']).execute();
  for (const { name, group_path: path, definition } of rows.filter((row) => isWithin(row.group_path, from))) {
    const moved = to === undefined ? (parentOf(from) ?? ROOT_GROUP) : to + path.slice(from.length);
    const template = JSON.parse(definition) as TemplateDefinition;
    // The path is the constant part that the text of the group begins with: `/acme` of `/acme/${parameters.Site}`.
    const group = (moved === ROOT_GROUP ? '' : moved) + template.device.group.slice(path.length) || ROOT_GROUP;
    const columns = { group_path: moved, definition: JSON.stringify({ ...template, device: { ...template.device, group } }) };
    await transaction.updateTable('provisioning_template').set(columns).where('name', '=', name).execute();
  }
}

function isWithin(path: string, ancestor: string): boolean {
  return path === ancestor || path.startsWith(`${ancestor}/`);
}
