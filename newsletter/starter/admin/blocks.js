// Boxes of a letter as small forms in the editor. What is no box here stays in the text as it is typed.
// The root of toPreview() becomes a paste converter of Sveltia's: a root <a> would swallow every pasted link and a root
// <div> every pasted <div>, so each has a tag that nobody pastes.
(() => {
  const shown = (text) => String(text ?? '').replace(/[&<>"]/g, (c) => ({ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' })[c]);
  const line = (text) => String(text ?? '').replace(/\s+/g, ' ').trim();

  CMS.registerEditorComponent({
    id: 'button',
    label: 'Button',
    icon: 'smart_button',
    fields: [
      { name: 'text', label: 'Words on it', widget: 'string' },
      { name: 'url', label: 'Where it leads', widget: 'string' },
    ],
    pattern: /^\[(?<text>[^\]\n]+)\]\((?<url>[^)\s]+)\)\{\.button\}$/m,
    toBlock: ({ text, url }) => `[${line(text)}](${line(url)}){.button}`,
    toPreview: ({ text }) => `<nl-button><strong>[ ${shown(text)} ]</strong></nl-button>`,
  });

  // A box ends at its own three colons, so those of boxes inside it (two levels) are counted with them.
  const words = '(?!:::)[^\\n]*\\n';
  const inside = [0, 0].reduce((deeper) => `(?:::: [^\\n]*\\n(?:${deeper})*?:::\\n|${words})`, words);

  const box = (id, label, icon, title) => CMS.registerEditorComponent({
    id,
    label,
    icon,
    fields: [...(title ? [title] : []), { name: 'body', label: 'Text', widget: 'richtext', editor_components: ['image', 'button'] }],
    pattern: new RegExp(`^::: ${id}(?:[ \\t]+(?<arg>[^\\n]*))?\\n(?<body>(?:${inside})*?):::$`, 'm'),
    fromBlock: (found) => ({ arg: line(found.groups.arg), body: found.groups.body.trim() }),
    toBlock: ({ arg, body }) => `::: ${id}${line(arg) ? ' ' + line(arg) : ''}\n${String(body ?? '').trim()}\n:::`,
    toPreview: ({ arg, body }) => `<nl-${id}><strong>${shown(label)}${arg ? ': ' + shown(arg) : ''}</strong><br>${shown(body)}</nl-${id}>`,
  });

  box('callout', 'Tinted box', 'lightbulb', { name: 'arg', label: 'Title', widget: 'string', required: false });
  box('card', 'Framed box', 'featured_play_list', null);
  const readers = (label) => ({ name: 'arg', label, widget: 'select', options: window.PUBLICATION.readers });
  box('only', 'Only for some readers', 'groups', readers('Who sees it'));
  box('not', 'For all but some readers', 'group_off', readers('Who does not see it'));
})();
