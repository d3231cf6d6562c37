"use strict";
const specs = JSON.parse(document.getElementById("specs").textContent);
const STEP_MILLISECONDS = 60;

// A button that moves the slider of a picture from where it is to its end.
function addPlayer(figure, view) {
  const slider = figure.querySelector(".vega-bindings input[type=range]");
  if (!slider) return;
  const button = document.createElement("button");
  let timer = null;
  const stop = () => { clearInterval(timer); timer = null; button.textContent = "Play"; };
  button.textContent = "Play";
  button.onclick = () => {
    if (timer) return stop();
    if (view.signal("at") >= Number(slider.max)) view.signal("at", 0);
    button.textContent = "Pause";
    timer = setInterval(async () => {
      const at = view.signal("at") + 1;
      if (at > Number(slider.max)) return stop();
      await view.signal("at", at).runAsync();
    }, STEP_MILLISECONDS);
  };
  slider.closest(".vega-bindings").append(button);
}

async function drawAll() {
  for (const [name, spec] of Object.entries(specs)) {
    const figure = document.getElementById(name);
    try {
      const drawn = await vegaEmbed(figure, spec, { actions: false, renderer: "canvas" });
      addPlayer(figure, drawn.view);
      figure.dataset.drawn = "yes";
    } catch (error) {  // the others may yet be drawn
      console.error(error);
      figure.textContent = `This picture cannot be drawn: ${error.message}`;
    }
  }
  document.body.dataset.drawn = "all";
}
drawAll();
