import { Button, Modal, Textarea, TextInput } from '@mantine/core';
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query';
import { useId, useState, type FormEvent } from 'react';
import { fetchDeviceTypes } from '../api/device-types.ts';
import { updateDevice, type Device } from '../api/devices.ts';
import { useServices } from '../app/services.ts';
import { useWho } from '../session/who.ts';
import styles from '../ui/dialog.module.css';
import { ProblemNotice } from '../ui/problem-notice.tsx';
import { devicePatch, formOf } from './device-form.ts';

interface EditDeviceDialogProps {
  readonly device: Device;
  readonly opened: boolean;
  readonly onClose: () => void;
}

export function EditDeviceDialog({ device, opened, onClose }: EditDeviceDialogProps) {
  return (
    <Modal opened={opened} onClose={onClose} title={`Edit ${device.id}`} size="lg" closeButtonProps={{ 'aria-label': 'Close' }}>
      <EditDevice device={device} onClose={onClose} />
    </Modal>
  );
}

function EditDevice({ device: current, onClose }: Omit<EditDeviceDialogProps, 'opened'>) {
  const { client } = useServices();
  const { may } = useWho();
  const queries = useQueryClient();
  const typesId = useId();
  // What it was when the form was opened: only what is changed here is sent.
  const [device] = useState(current);
  const [form, setForm] = useState(() => formOf(device));
  const [fault, setFault] = useState('');
  const types = useQuery({
    queryKey: ['device-types'],
    queryFn: ({ signal }) => fetchDeviceTypes(client, signal),
    enabled: may('types:read'),
  });
  const save = useMutation({
    mutationFn: updateDevice.bind(null, client, device.id),
    onSuccess: (updated) => {
      queries.setQueryData(['device', device.id], updated);
      for (const key of ['devices', 'groups', 'audit']) void queries.invalidateQueries({ queryKey: [key] });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    const { patch, fault: found } = devicePatch(device, form);
    setFault(found ?? '');
    if (patch === undefined) return;
    if (Object.keys(patch).length === 0) onClose();
    else save.mutate(patch);
  };
  const field = (name: keyof typeof form) => ({
    value: form[name],
    spellCheck: false,
    autoComplete: 'off',
    onChange: (event: { readonly currentTarget: { readonly value: string } }) =>
      setForm({ ...form, [name]: event.currentTarget.value }),
  });
  return (
    <form className={styles.form} onSubmit={submit}>
      <TextInput label="Name" maxLength={200} data-autofocus {...field('name')} />
      <TextInput label="Type" list={typesId} {...field('type')} />
      <datalist id={typesId}>
        {types.data?.map((type) => (
          <option key={type} value={type} />
        ))}
      </datalist>
      <TextInput
        label="Group"
        description="Made where it is not there. With another group it may get other policies."
        {...field('group')}
      />
      <TextInput label="Tags" description="With spaces between." {...field('tags')} />
      <Textarea
        className={styles.mono}
        label="Attributes"
        description="A JSON object of at most 8 KB and four levels."
        rows={8}
        {...field('attributes')}
        error={fault === '' ? null : fault}
      />
      {save.error !== null && <ProblemNotice error={save.error} />}
      <div className={styles.actions}>
        <Button variant="default" onClick={onClose}>
          Cancel
        </Button>
        <Button type="submit" loading={save.isPending}>
          Save
        </Button>
      </div>
    </form>
  );
}
