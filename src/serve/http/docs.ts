// GET /docs: a page that shows /openapi.json, without anything from elsewhere.

export const docsPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>dynamo-sglang API</title>
<meta name="viewport" content="width=device-width">
<style>
:root{color-scheme:light dark}
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}
summary{cursor:pointer;padding:.4rem 0}code,pre{font:13px/1.5 ui-monospace,monospace}
b{display:inline-block;min-width:4rem}td{padding:.1rem 1rem .1rem 0;vertical-align:top}
pre{overflow:auto;padding:.8rem;background:#8881;border-radius:.3rem}
</style></head><body><h1>dynamo-sglang API</h1><p>The same as <a href="openapi.json">openapi.json</a>.</p><main>Loading…</main>
<script>
const main=document.querySelector('main')
const element=(name,text)=>{const made=document.createElement(name);if(text!==undefined)made.textContent=text;return made}
function typeOf(s){if(s.enum)return s.enum.map(v=>JSON.stringify(v)).join(' | ');if(s.const!==undefined)return JSON.stringify(s.const)
 const any=s.anyOf||s.oneOf;if(any)return any.map(typeOf).filter(t=>t!=='null').join(' | ')
 if(s.type==='array')return typeOf(s.items||{})+'[]';return s.$ref?s.$ref.split('/').pop():s.type||'any'}
function fields(schema){const table=element('table');for(const[name,field]of Object.entries(schema.properties||{})){const row=element('tr')
 const cell=element('td');cell.append(element('code',name+((schema.required||[]).includes(name)?' *':'')));row.append(cell,element('td',typeOf(field)),element('td',field.description||''));table.append(row)}return table}
fetch('openapi.json').then(r=>r.json()).then(doc=>{main.textContent=''
 const resolve=s=>s&&s.$ref?s.$ref.slice(2).split('/').reduce((at,step)=>at[step],doc):s||{}
 for(const[path,methods]of Object.entries(doc.paths))for(const[method,route]of Object.entries(methods)){const box=element('details'),head=element('summary')
  head.append(element('b',method.toUpperCase()),element('code',path),' '+route.summary);box.append(head)
  const body=route.requestBody?.content?.['application/json'];if(body){box.append(element('h4','Body (* required)'),fields(resolve(body.schema)))
   if(body.example)box.append(element('pre','curl '+location.origin+path+" -H 'content-type: application/json' -d '"+JSON.stringify(body.example)+"'"))}
  const ok=route.responses['200']?.content?.['application/json'];if(ok)box.append(element('h4','Answer'),fields(resolve(ok.schema)))
  main.append(box)}}).catch(error=>{main.textContent=String(error)})
</script></body></html>`
